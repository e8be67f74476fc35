// What the guard needs to know beforehand: each SLO's budget in events, measured where there is a history.
#pragma once

#include "experiments/guard/guard.hpp"
#include "experiments/spec/spec.hpp"
#include "injector/core/result.hpp"

namespace arashi::commands {

// Asks the Prometheus servers for the SLO's events of the last window; a load's are its rate over the window, extrapolated.
Result<guard::Config> guard_config(const spec::Experiment& experiment);
// The same without asking anyone: SLOs of a source have no events yet.
guard::Config unmeasured_config(const spec::Experiment& experiment);

}  // namespace arashi::commands
