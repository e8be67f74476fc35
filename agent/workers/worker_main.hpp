// The program `arashi-agent worker ENGINE`.
#pragma once

#include "injector/core/json_fwd.hpp"
#include "injector/core/result.hpp"

#include <string_view>

namespace arashi::workers {

// An engine works until Channel::wait_until says that its holder has gone, and returns then. An error before it said "ready" is told to the
// holder. Add one: its file beside this one, a line in worker_main.cpp's table.
using Engine = Result<void> (*)(const Json& config);

Result<void> run_conntrack(const Json& config);
Result<void> run_dns(const Json& config);
Result<void> run_down(const Json& config);
Result<void> run_kill(const Json& config);
Result<void> run_names(const Json& config);
Result<void> run_netem_ramp(const Json& config);
Result<void> run_ports(const Json& config);
Result<void> run_reset(const Json& config);
Result<void> run_tap(const Json& config);

// Reads the configuration from standard input and runs the engine; the process's exit code.
int run_worker(std::string_view engine);

}  // namespace arashi::workers
