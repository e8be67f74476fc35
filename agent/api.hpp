// The unprivileged process that strangers may talk to: terminates TLS, parses HTTP and JSON, checks the peer's right, and asks the injector
// process over the channel. It binds and reads its key first, then gives up everything (confine.hpp).
#pragma once

#include "agent/options.hpp"

namespace arashi {

// Until the end of the channel.
int run_api(const Options& options);

}  // namespace arashi
