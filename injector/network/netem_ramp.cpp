#include "injector/network/netem_ramp.hpp"

#include "injector/network/netem_options.hpp"

#include <algorithm>
#include <cmath>

namespace arashi::netem {

namespace {

using namespace std::chrono_literals;

constexpr Duration step_length = 50ms;
constexpr std::int64_t most_steps = 2000;
constexpr std::uint64_t no_limit = 125'000'000'000;  // bytes per second: a rate at the begin of its ramp

Effects losing(const Effects& effects, double part) {
  auto some = effects;
  some.loss *= part;
  if (auto& model = some.gilbert_elliott) {
    model->lost_in_bad *= part;
    model->lost_in_good *= part;
  }
  if (auto& state = some.four_state) {
    state->p13 *= part;
    state->p14 *= part;
  }
  return some;
}

Duration some_of(Duration whole, double part) { return Duration(std::llround(static_cast<double>(whole.count()) * part)); }

std::uint64_t rate_at(std::uint64_t whole, double part) {
  const auto most = static_cast<double>(std::max(whole, no_limit));
  if (part <= 0) return std::max(whole, no_limit);
  return static_cast<std::uint64_t>(std::min(most, static_cast<double>(whole) / part));
}

std::size_t apart(std::size_t one, std::size_t other) { return one > other ? one - other : other - one; }

}  // namespace

std::size_t ramp_steps(const Effects& effects) {
  if (effects.ramp <= Duration{}) return 0;
  return static_cast<std::size_t>(std::clamp<std::int64_t>(effects.ramp / step_length, 1, most_steps));
}

Settings grown(const Effects& effects, const Settings& whole, std::size_t step) {
  const auto steps = ramp_steps(effects);
  if (step >= steps) return whole;
  const double part = static_cast<double>(step) / static_cast<double>(steps);
  auto now = whole;
  now.delay = some_of(whole.delay, part);
  now.jitter = some_of(whole.jitter, part);
  set_losses(now, losing(effects, part));
  if (whole.bytes_per_second > 0) now.bytes_per_second = rate_at(whole.bytes_per_second, part);
  return now;
}

std::optional<std::size_t> step_of(const Effects& effects, const Settings& held, std::size_t expected) {
  const auto whole = settings_for(effects);
  std::optional<std::size_t> nearest;
  for (std::size_t step = 0; step <= ramp_steps(effects); ++step)
    if (grown(effects, whole, step) == held && (!nearest || apart(step, expected) < apart(*nearest, expected))) nearest = step;
  return nearest;
}

}  // namespace arashi::netem
