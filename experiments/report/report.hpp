// Draws a finished run out of its result.json (run/result.hpp): pure text out of data, so an old run can be drawn again.
#pragma once

#include "injector/core/json_fwd.hpp"
#include "injector/core/result.hpp"

#include <string>
#include <string_view>

namespace arashi::report {

// result.json from a file: Blame::input unless it carries our format and the members that drawing needs.
Result<Json> read(std::string_view text);

std::string html(const Json& result);                      // one self-contained page: no network, no other file
std::string junit(const Json& result);                     // JUnit XML: one test case per SLO, check and fault, and the verdict
std::string terminal(const Json& result, bool in_colour);  // the closing summary of `arashi run` and `arashi report RUN`
Json result_schema();                                      // JSON Schema (2020-12) of result.json

}  // namespace arashi::report
