// What the supervisor runs when the injector process died, and a person when no agent runs.
#pragma once

#include "agent/options.hpp"

namespace arashi {

// `arashi-agent recover`: takes back what the journals hold and prints each on standard output. 0, 3 if an agent still runs, or 6 if
// something is left.
int run_recovery(const Options& options);

}  // namespace arashi
