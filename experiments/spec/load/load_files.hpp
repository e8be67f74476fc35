// The files of a load: recorded arrival times and tables of values. Text in, data out; errors name the line.
#pragma once

#include "experiments/spec/load/load.hpp"
#include "injector/core/result.hpp"

#include <string_view>

namespace arashi::spec {

// Seconds, one a line ("0.25", also Unix times); JSON Lines with a number "t"; or an access log with "[25/Nov/2026:10:00:00 +0000]", where
// the requests of one second are spread over it. In order of time, the first is 0. At least one, at most a million.
Result<std::vector<Duration>> parse_arrivals(std::string_view text);

// CSV (RFC 4180) whose first line names the columns, or JSON Lines of flat objects with the same names. At least one row.
Result<LoadData> parse_rows(std::string_view text);

}  // namespace arashi::spec
