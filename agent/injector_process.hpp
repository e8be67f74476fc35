// The privileged process: owns the journals, the injector, leases and policy. No peer reaches it but through the api process, which it
// starts and serves over a channel. One event loop; whatever may wait runs on a pool of threads, so that nothing delays a renewal or a
// halt.
#pragma once

#include "agent/options.hpp"

namespace arashi {

// Until the end of its control connection, of its lifeline, or SIGTERM: then everything is reverted. Returns the exit code.
int run_injector_process(const Options& options);

}  // namespace arashi
