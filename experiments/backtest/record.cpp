#include "experiments/backtest/record.hpp"

#include <algorithm>

namespace arashi::backtest {

std::uint64_t Series::total() const {
  std::uint64_t sum = 0;
  for (const Sample& each : samples) sum += each.total;
  return sum;
}

std::uint64_t Series::bad() const {
  std::uint64_t sum = 0;
  for (const Sample& each : samples) sum += each.bad;
  return sum;
}

Duration Series::covered() const {
  Duration sum{};
  for (const Sample& each : samples) sum += each.end - each.begin;
  return sum;
}

std::size_t Series::gaps() const {
  std::size_t count = 0;
  for (std::size_t i = 1; i < samples.size(); ++i) count += samples[i].begin > samples[i - 1].end ? 1 : 0;
  return count;
}

Duration Record::begin() const {
  Duration latest{};
  for (const Series& each : series)
    if (!each.samples.empty()) latest = std::max(latest, each.samples.front().begin);
  return latest;
}

Duration Record::end() const {
  Duration earliest = Duration::max();
  for (const Series& each : series) earliest = std::min(earliest, each.samples.empty() ? Duration{} : each.samples.back().end);
  return series.empty() ? Duration{} : earliest;
}

}  // namespace arashi::backtest
