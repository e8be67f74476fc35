// The one loop of a run: events to the runner, its commands to the hands, then what came of it to the observers.
#pragma once

#include "experiments/engine/hands.hpp"
#include "experiments/engine/observer.hpp"
#include "experiments/engine/stop.hpp"

#include <vector>

namespace arashi::engine {

// Runs to the end. `epoch` is the run's start.
run::RunResult run_loop(run::Runner& runner, Hands& hands, const std::vector<Observer*>& observers, Stop& stop, Duration epoch);

}  // namespace arashi::engine
