// The one JSON type (nlohmann/json). Headers include json_fwd.hpp; this one is for .cpp files that look inside.
// The class is instantiated once, in json.cpp, which saves seconds in each file that includes this.
#pragma once

#include "injector/core/json_fwd.hpp"
#include "injector/core/result.hpp"

#include <nlohmann/json.hpp>

#include <string_view>

extern template class nlohmann::basic_json<>;

namespace arashi {

// Parses text from outside: at most `limit` bytes and 64 levels deep; errors say at which byte.  Never throws.
Result<Json> parse_json(std::string_view text, std::size_t limit = std::size_t{4} << 20U);

// The text of a value; bytes that are not UTF-8 are replaced, so this never throws.
std::string to_text(const Json& value, int indent = -1);

}  // namespace arashi
