#include "experiments/spec/load/arrivals.hpp"

#include <algorithm>
#include <cmath>

namespace arashi::spec {

RateLine::RateLine(const Load& load) {
  Piece piece{.from = load.rate.per_second};
  for (const auto& stage : load.arrivals.stages) {
    piece.length = seconds(stage.over);
    piece.to = stage.to.per_second;
    if (piece.length > 0) pieces_.push_back(piece);
    piece.before += piece.length > 0 ? piece.requests(piece.length) : 0;
    piece.begin += piece.length;
    piece.from = piece.to;
  }
  piece.length = 0;
  pieces_.push_back(piece);
}

double RateLine::requests_until(double seconds) const {
  const auto after = std::ranges::find_if(pieces_, [&](const Piece& piece) { return piece.begin > seconds; });
  const Piece& piece = after == pieces_.begin() ? pieces_.front() : *(after - 1);
  return piece.before + piece.requests(std::max(0.0, seconds - piece.begin));
}

double RateLine::when(double requests) const {
  if (requests < pieces_[last_].before) last_ = 0;
  while (last_ + 1 < pieces_.size() && requests >= pieces_[last_ + 1].before) ++last_;
  const Piece& piece = pieces_[last_];
  const double wanted = std::max(0.0, requests - piece.before);
  if (piece.slope() == 0) return piece.begin + wanted / piece.from;
  // The root of slope/2 x² + from x = wanted that does not cancel.
  const double under = std::max(0.0, piece.from * piece.from + 2 * piece.slope() * wanted);
  return piece.begin + 2 * wanted / (piece.from + std::sqrt(under));
}

double RateLine::highest_until(double seconds) const {
  double highest = pieces_.front().from;
  for (const Piece& piece : pieces_) {
    if (piece.begin > seconds) break;
    highest = std::max({highest, piece.from, piece.from + piece.slope() * std::min(piece.length, seconds - piece.begin)});
  }
  return highest;
}

namespace {

// Of one run of the record: how many start before `end`.
std::size_t recorded_before(const std::vector<Duration>& record, Duration end) {
  return static_cast<std::size_t>(std::ranges::lower_bound(record, end) - record.begin());
}

double recorded_requests(const Arrivals& arrivals, Duration within) {
  if (arrivals.period <= Duration{}) return static_cast<double>(recorded_before(arrivals.record, within));
  const auto runs = within / arrivals.period;
  const auto rest = recorded_before(arrivals.record, within - runs * arrivals.period);
  return static_cast<double>(runs) * static_cast<double>(arrivals.record.size()) + static_cast<double>(rest);
}

double most_recorded(const Arrivals& arrivals) {
  const auto& record = arrivals.record;
  const std::size_t seam = arrivals.period > Duration{} ? record.size() : 0;  // a second may lie over the end and the new beginning
  const auto at = [&](std::size_t i) { return i < record.size() ? record[i] : record[i - record.size()] + arrivals.period; };
  std::size_t most = 0;
  for (std::size_t first = 0, next = 0; first < record.size(); ++first) {
    next = std::max(next, first);
    while (next < record.size() + seam && at(next) - at(first) < std::chrono::seconds(1)) ++next;
    most = std::max(most, next - first);
  }
  return static_cast<double>(most);
}

}  // namespace

double expected_requests(const Load& load, Duration within) {
  if (!load.arrivals.record.empty()) return recorded_requests(load.arrivals, within);
  return RateLine(load).requests_until(seconds(within));
}

Rate mean_rate(const Load& load, Duration within) {
  if (load.arrivals.record.empty() && load.arrivals.stages.empty()) return load.rate;
  return {within > Duration{} ? expected_requests(load, within) / seconds(within) : load.rate.per_second};
}

double most_in_a_second(const Load& load, Duration within) {
  if (!load.arrivals.record.empty()) return most_recorded(load.arrivals);
  const double highest = RateLine(load).highest_until(seconds(within));
  // More than this comes in less than one second of 100,000 (the tail of the Poisson distribution).
  return load.arrivals.poisson ? highest + 4.3 * std::sqrt(highest) + 6.2 : highest;
}

}  // namespace arashi::spec
