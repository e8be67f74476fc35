// PromQL's vector selector, name{label="value", other=~"regex"}: which series of a /metrics page are meant. Pure.
#pragma once

#include "injector/core/result.hpp"

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace re2 {
class RE2;
}

namespace arashi::spec {

struct Label {
  std::string name, value;
};

struct Matcher {
  enum class Kind { equal, unequal, like, unlike };
  std::string label, value;
  Kind kind = Kind::equal;
  std::shared_ptr<const re2::RE2> regex;  // like and unlike: of the whole value
  [[nodiscard]] bool matches(std::string_view text) const;
};

struct SeriesSelector {
  std::string text, name;
  std::vector<Matcher> matchers;
  // A label that is not there counts as empty, as in PromQL.
  [[nodiscard]] bool matches(std::span<const Label> labels) const;
};

// by, or, inf, …, in any case: what stands in an expression and is no counter's name here, though PromQL allows some as such.
bool is_promql_word(std::string_view name);

// Refuses what is no plain selector (functions, sums, ranges, offsets), with what to write instead.
Result<SeriesSelector> parse_series(std::string_view text);

}  // namespace arashi::spec
