// An SLO's counts from a Prometheus server, or what speaks its API: counts not ratios, both in one poll with the same explicit time,
// freshness by timestamp(); differenced with reset handling. One thread per source, timeout below the period, one request in flight.
#pragma once

#include "experiments/sli/history.hpp"
#include "experiments/sli/sli.hpp"
#include "experiments/spec/spec.hpp"

#include <memory>

namespace arashi::sli {

Result<std::unique_ptr<Source>> prometheus(const spec::PrometheusSource& source, const std::string& directory, Duration epoch);

// sum(increase(total[window])). To the bad ones comes what their series began with within the window: an error's first is else never seen.
Result<History> prometheus_history(const spec::PrometheusSource& source, const std::string& directory, Duration window);

}  // namespace arashi::sli
