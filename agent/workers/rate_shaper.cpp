#include "agent/workers/rate_shaper.hpp"

#include <algorithm>
#include <cmath>

namespace arashi::workers {

std::int64_t RateShaper::cost(std::size_t bytes) const {
  const auto length = std::max<std::int64_t>(0, static_cast<std::int64_t>(bytes) + rate_.packet_overhead);
  if (rate_.cell_size == 0) return length;
  const std::int64_t size = rate_.cell_size;
  const auto cells = (length + size - 1) / size;
  return cells * (size + rate_.cell_overhead);
}

Duration RateShaper::time_for(double bytes, double grown) const {
  constexpr double bits = 8;
  constexpr double nanoseconds = 1e9;
  return Duration(std::llround(bytes * bits * nanoseconds * grown / static_cast<double>(rate_.bits_per_second)));
}

Duration RateShaper::through(Duration now, std::size_t bytes, double grown) {
  if (rate_.bits_per_second == 0 || grown <= 0) return now;
  const auto saved = time_for(static_cast<double>(rate_.burst), grown);
  free_ = std::max(free_, now - saved) + time_for(static_cast<double>(cost(bytes)), grown);
  return std::max(now, free_);
}

}  // namespace arashi::workers
