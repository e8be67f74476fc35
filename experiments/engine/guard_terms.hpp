// What the guard needs to know beforehand: each SLO's budget in events, measured where there is a history.
#pragma once

#include "experiments/guard/guard.hpp"
#include "experiments/spec/spec.hpp"
#include "injector/core/result.hpp"

namespace arashi::engine {

// Asks the SLOs' sources for the events of the last window, of a settled calendar's window for those since its begin and for the ones of
// the window before; a load's are its rate over the window, extrapolated.
Result<guard::Config> guard_config(const spec::Experiment& experiment);
// The same without asking anyone: SLOs of a source have no events yet.
guard::Config unmeasured_config(const spec::Experiment& experiment);

}  // namespace arashi::engine
