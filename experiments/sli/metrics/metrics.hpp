// An SLO's counts from the replicas' own /metrics pages, read directly and all at once: no monitoring system's delay in between.
#pragma once

#include "experiments/sli/sli.hpp"
#include "experiments/spec/sources/sources.hpp"

#include <memory>

namespace arashi::sli {

// Reads every page once or twice before it returns, and refuses: a replica that does not answer, a metric or bucket that is not there (with
// those that are), pages that take more than a twentieth of the period to make.
Result<std::unique_ptr<Source>> metrics(const spec::MetricsSource& source, Duration latency, const std::string& directory, Duration epoch);

}  // namespace arashi::sli
