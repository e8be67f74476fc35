// Lets the values of netem grow over a ramp.
#pragma once

#include "injector/core/result.hpp"
#include "injector/network/workers.hpp"

namespace arashi::workers {

// The engine itself. Changes netem step by step, and ends when the last is done, the holder has let go of `input`, or netem is not there
// any more (an error).
Result<void> let_netem_grow(const RampConfig& config, int input, int output);

}  // namespace arashi::workers
