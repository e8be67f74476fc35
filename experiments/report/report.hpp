// Draws a finished run: pure text out of data.
#pragma once

#include "experiments/run/result.hpp"

#include <string>

namespace arashi::report {

std::string html(const run::RunResult& result);                   // one self-contained page: no network, no other file
std::string junit(const run::RunResult& result);                  // JUnit XML: one test case per SLO, check and fault
std::string terminal(const run::RunResult& result, bool colour);  // the closing summary of `arashi run` and `arashi report RUN`
Json result_schema();                                             // JSON Schema of result.json

}  // namespace arashi::report
