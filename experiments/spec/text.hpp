#pragma once

#include <cstddef>
#include <string_view>

namespace arashi::spec {

// Bytes of the UTF-8 character that `text` begins with; 0 if it begins with none (RFC 3629: no overlong forms, no surrogates).
std::size_t utf8_length(std::string_view text);

}  // namespace arashi::spec
