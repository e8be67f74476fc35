// The parent of the agent's processes. It does nothing but wait: while nothing lives not even a timer runs. When the injector process dies
// it runs the recovery and starts it again.
#pragma once

#include "agent/options.hpp"
#include "injector/core/result.hpp"

namespace arashi {

// Until SIGTERM, SIGINT or, embedded, the end of its standard input. Prints "ready SOCKET" on standard output once it can serve.
// Returns the exit code: 0, 2 bad usage, 3 refused, 6 something may be left behind, 1 otherwise.
int run_supervisor(const Options& options);

// The capabilities the agent cannot do without and this process lacks, as "CAP_NET_ADMIN, CAP_KILL"; empty if none.
std::string missing_capabilities();

int exit_code_of(Blame blame);

}  // namespace arashi
