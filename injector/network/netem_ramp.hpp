// netem's values as they grow over a ramp. The kernel's netem stands still, so someone has to change it, step by step: a worker
// (agent/workers/netem_ramp_worker.cpp). Pure.
#pragma once

#include "injector/network/netem_message.hpp"

#include <cstddef>

namespace arashi::netem {

// In how many steps: one each 50 ms, and never more than 2,000. 0: no ramp.
std::size_t ramp_steps(const Effects& effects);

// After `step` of them: delay, jitter and loss in proportion, a rate by as much more than its value as they are less. The transitions of
// the 4-state model into a loss, and how much Gilbert-Elliott's two states lose, grow; how long bursts last stays.
Settings grown(const Effects& effects, const Settings& whole, std::size_t step);

// The step that netem stands at, nearest to `expected`; none: someone else has set it to something.
std::optional<std::size_t> step_of(const Effects& effects, const Settings& held, std::size_t expected);

}  // namespace arashi::netem
