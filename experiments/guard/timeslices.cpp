#include "experiments/guard/timeslices.hpp"

#include <algorithm>

namespace arashi::guard {
namespace {

constexpr std::int64_t most_at_once = 100'000;  // a source that jumps over more slices than that is believed in its end only

}  // namespace

TimeSlices::TimeSlices(const SloTerms& slo, const SourceTerms& source)
    : method_(slo.method),
      length_(std::max<Duration>(slo.slice, std::chrono::milliseconds(1))),
      allowed_(1 - slo.slice_target),
      empty_(slo.empty),
      rate_most_(source.rate_most),
      rate_usual_(source.window_events / std::max(seconds(slo.window), 1.0)) {}

double TimeSlices::worth(double total, double bad) const {
  if (total <= 0) return 0;
  const double ratio = std::clamp(bad / total, 0.0, 1.0);
  if (method_ == Method::ratio_timeslices) return ratio;
  return ratio > allowed_ ? 1 : 0;
}

TimeSlice TimeSlices::close() {
  TimeSlice closed{.begin = begin_, .end = begin_ + length_};
  if (total_ + unknown_ <= 0) {
    closed.counts = empty_ != EmptySlice::skip;
    closed.bad = empty_ == EmptySlice::bad ? 1 : 0;
  } else {
    closed.bad = worth(total_, bad_);
    closed.unknown = std::max(worth(total_ + unknown_, bad_ + unknown_) - closed.bad, 0.0);
  }
  begin_ += length_;
  total_ = bad_ = unknown_ = 0;
  return closed;
}

std::vector<TimeSlice> TimeSlices::add(Duration begin, Duration end, double total, double bad, double unknown) {
  std::vector<TimeSlice> closed;
  if (end <= begin) return closed;
  if (begin < begin_) begin = std::min(begin_, end);
  if ((end - begin_) / length_ > most_at_once || known_until_ == Duration{}) begin_ = begin / length_ * length_;
  if ((end - begin_) / length_ > most_at_once) begin_ = begin = end / length_ * length_;
  const double whole = std::max(seconds(end - begin), 1e-9);
  while (true) {
    const Duration until = std::min(end, begin_ + length_);
    const double share = std::max(seconds(until - begin), 0.0) / whole;
    total_ += total * share;
    bad_ += bad * share;
    unknown_ += unknown * share;
    begin = std::max(begin, until);
    if (end < begin_ + length_) break;
    closed.push_back(close());
  }
  known_until_ = end;
  return closed;
}

double TimeSlices::certain() const {
  const double most = total_ + rate_most_ * rest(known_until_, begin_ + length_);
  return known_until_ > begin_ ? worth(most, bad_) : 0;
}

double TimeSlices::worst(Duration until) const {
  const auto slice = [&](Duration begin, double total, double bad) {
    const Duration end = begin + length_;
    const double unknown = rate_most_ * rest(std::max(begin, known_until_), std::min(until, end));
    const double later = rate_usual_ * rest(std::max({begin, known_until_, until}), end);
    return worth(total + unknown + later, bad + unknown);
  };
  double sum = slice(begin_, total_ + unknown_, bad_ + unknown_);
  Duration next = begin_ + length_;
  if (until > next) {
    const std::int64_t whole = (until - next) / length_;
    sum += static_cast<double>(whole);
    next += whole * length_;
    if (until > next) sum += slice(next, 0, 0);
  }
  return sum;
}

PastSlices::PastSlices(const SloTerms& slo, const SourceTerms& source) : slices_(std::make_unique<TimeSlices>(slo, source)) {}
PastSlices::PastSlices(PastSlices&&) noexcept = default;
PastSlices& PastSlices::operator=(PastSlices&&) noexcept = default;
PastSlices::~PastSlices() = default;

void PastSlices::add(const Slice& slice) {
  for (const TimeSlice& each : slices_->add(slice.begin, slice.end, static_cast<double>(slice.total), static_cast<double>(slice.bad), 0))
    bad_ += each.counts ? each.bad : 0;
}

}  // namespace arashi::guard
