// "did you mean": the nearest known word, if it is near enough.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace arashi {

// Within a Damerau-Levenshtein distance of a third of the length (at least 1, at most 3); empty if none.
std::string nearest(std::string_view word, std::span<const std::string_view> known);
// "; did you mean 'delay'?" or, where nothing is near, "; known are a, b, c".
std::string suggestion(std::string_view word, std::span<const std::string_view> known);

}  // namespace arashi
