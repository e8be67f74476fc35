// Just enough of PromQL to see which selectors an expression reads: for their samples' times, and to read each series of a sum by
// itself, because one counter that starts anew cannot be seen in the sum. Pure.
#pragma once

#include "injector/core/result.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace arashi::sli {

struct Expression {
  std::string text;                    // what to ask for
  bool summed = false;                 // it was sum(text): many series are expected and are differenced one by one
  bool selector = false;               // text is one plain selector
  std::vector<std::string> selectors;  // that it reads
};

// Refuses ranges ("[5m]"): counts are differenced here, so a counter is wanted and not a rate.
Result<Expression> analyse(std::string_view promql);

}  // namespace arashi::sli
