#include "experiments/load/schedule.hpp"

#include "experiments/load/draw.hpp"

#include <cmath>

namespace arashi::load {
namespace {

constexpr double longest = 9e9;  // seconds that a Duration can hold

Duration from_seconds(double seconds) { return Duration(static_cast<std::int64_t>(std::ceil(std::min(seconds, longest) * 1e9))); }

}  // namespace

std::optional<Duration> Schedule::next() {
  const spec::Arrivals& arrivals = load_.arrivals;
  if (!arrivals.record.empty()) return next_recorded();
  const std::uint64_t request = made_++;
  if (arrivals.poisson) {
    drawn_ = mixed(drawn_);
    wanted_ -= std::log1p(-fraction(drawn_));  // in units of expected requests the gaps are exponential, whatever the rate does
    return from_seconds(line_.when(wanted_));
  }
  if (!arrivals.stages.empty()) return from_seconds(line_.when(static_cast<double>(request)));
  return Duration(static_cast<std::int64_t>(std::ceil(static_cast<double>(request) * (1e9 / load_.rate.per_second))));
}

std::optional<Duration> Schedule::next_recorded() {
  const spec::Arrivals& arrivals = load_.arrivals;
  const std::uint64_t size = arrivals.record.size();
  if (made_ >= size && arrivals.period <= Duration{}) return std::nullopt;
  const std::uint64_t request = made_++;
  return arrivals.record[request % size] + static_cast<std::int64_t>(request / size) * arrivals.period;
}

}  // namespace arashi::load
