// The engine "tap": holds the packets of a network.impair and sends them on later.
#pragma once

#include "injector/core/json_fwd.hpp"
#include "injector/core/result.hpp"

namespace arashi::workers {

// Runs until `input` ends. `config` is an Impairment as JSON, with "clsactMissingOn" where there is no TCX. Answers on `output` as
// worker.hpp says: {"ready": {"programs": [ids], "taps": [names]}}, then {"stats": {…}}. Everything it makes (tap devices, TCX links) goes
// with the process; while it is stopped, the classifier misses its beat and passes all traffic by itself. Moves the calling process into
// the target's network namespace.
Result<void> hold_packets(const Json& config, int input, int output);

}  // namespace arashi::workers
