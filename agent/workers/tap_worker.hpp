// The engine "tap": holds the packets of a network.impair and sends them on later.
#pragma once

#include "injector/core/result.hpp"
#include "injector/network/workers.hpp"

namespace arashi::workers {

// Runs until `input` ends. Answers on `output` as worker.hpp says, with TapStats. Everything it makes (tap devices, TCX links) goes
// with the process; while it is stopped, the classifier misses its beat and passes all traffic by itself. Moves the calling process into
// the target's network namespace.
Result<void> hold_packets(const TapConfig& config, int input, int output);

}  // namespace arashi::workers
