// Carries one run out, from asking the agents to its verdict. Several may run in one process, each with its own stop.
#pragma once

#include "experiments/engine/job.hpp"
#include "experiments/engine/observer.hpp"
#include "experiments/engine/stop.hpp"

#include <vector>

namespace arashi::engine {

// In this thread, to the end. An error when it could not even be prepared: nothing was touched then. What it starts ends with it; only a
// call that cannot be ended early (a disk that hangs) may last longer.
Result<run::RunResult> carry_out(const Job& job, const Agents& agents, const std::vector<Observer*>& observers, Stop& stop);

}  // namespace arashi::engine
