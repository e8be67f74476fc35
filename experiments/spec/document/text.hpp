#pragma once

#include "experiments/spec/parse.hpp"

#include <cstddef>
#include <optional>
#include <string_view>

namespace arashi::spec {

// Bytes of the UTF-8 character that `text` begins with; 0 if it begins with none (RFC 3629: no overlong forms, no surrogates).
std::size_t utf8_length(std::string_view text);

// Where a byte stands that no text holds: a control character, or not UTF-8.
std::optional<Problem> find_foreign_byte(std::string_view text);

}  // namespace arashi::spec
