// Just enough of PromQL to see which selectors an expression reads: for their samples' times, and to read each series of a sum by
// itself, because one counter that starts anew cannot be seen in the sum, and one without a series would make a difference empty. Pure.
#pragma once

#include "injector/core/result.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace arashi::sli {

// One sum(selector) of an expression that adds and subtracts nothing else.
struct Term {
  std::string selector;
  bool minus = false;
};

struct Expression {
  std::string text;                    // what to ask for, where there are no terms
  std::vector<Term> terms;             // its sums: many series are expected in each, and are differenced one by one
  bool selector = false;               // text is one plain selector
  std::vector<std::string> selectors;  // that it reads
};

// Refuses ranges ("[5m]"): counts are differenced here, so a counter is wanted and not a rate.
Result<Expression> analyse(std::string_view promql);

}  // namespace arashi::sli
