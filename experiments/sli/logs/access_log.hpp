// An SLO's counts from nginx' access log on this machine, read as it grows.
#pragma once

#include "experiments/sli/history.hpp"
#include "experiments/sli/sli.hpp"
#include "experiments/spec/sources/sources.hpp"

#include <memory>
#include <string>
#include <vector>

namespace arashi::sli {

// Refuses a file that cannot be read, and one whose last lines are not of the format. `file` is relative to `directory`.
Result<std::unique_ptr<Source>> access_log(const spec::AccessLogSource& source, Duration latency, const std::string& directory,
                                           Duration epoch);

// From the lines that the file holds already, the last 64 MiB of them.
Result<History> access_log_history(const spec::AccessLogSource& source, Duration latency, const std::string& directory, Duration window);

// The same in stretches of one length, in order and without a gap from the first line on; times since 1970. Nothing where the log holds no
// request of that time, or does not say when they were.
Result<std::vector<guard::Slice>> access_log_past(const spec::AccessLogSource& source, Duration latency, const std::string& directory,
                                                  Duration window, Duration stretch);

}  // namespace arashi::sli
