// What a Prometheus server remembers of an SLO: the same two queries that a run polls, asked for a range, and the same differences.
#pragma once

#include "experiments/guard/guard.hpp"
#include "experiments/spec/spec.hpp"

#include <functional>

namespace arashi::sli {

struct Range {
  Duration from{}, to{};  // since 1970
  Duration step{};
};

// In order, times since 1970; only slices with counts (fresh, partial or late-born): where nothing is known there is none. `take` gets them
// piece by piece, with the time until which all is read; it returns false to stop. An error names the server.
Result<void> prometheus_range(const spec::PrometheusSource& source, const std::string& directory, const Range& range,
                              const std::function<bool(std::vector<guard::Slice> slices, Duration until)>& take);

}  // namespace arashi::sli
