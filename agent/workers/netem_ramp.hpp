// Lets the values of netem grow over a ramp.
#pragma once

#include "injector/core/json_fwd.hpp"
#include "injector/core/result.hpp"

namespace arashi::workers {

// The engine itself. config: an Impairment and "ends", the names of the devices that have netem. Changes it step by step, and ends when the
// last is done, the holder has let go of `input`, or netem is not there any more (an error).
Result<void> let_netem_grow(const Json& config, int input, int output);

}  // namespace arashi::workers
