#include "experiments/guard/budget.hpp"

#include <algorithm>
#include <cmath>

namespace arashi::guard {

double budget_units(const SloTerms& slo, const SourceTerms& source) {
  const double all = slo.method == Method::occurrences ? source.window_events : seconds(slo.window) / seconds(slo.slice);
  return (1 - slo.objective) * all;
}

double allowance(const SloTerms& slo, const SourceTerms& source, const Config& config) {
  const double left = 1 - source.window_bad / budget_units(slo, source);
  return std::min({config.budget, left - config.reserve - slo.promised, slo.bearable});
}

double most_by_chance(double mean) {
  constexpr double risk = 1e-4, deviations = 3.72, skewness = 2.14;  // of the normal distribution; (3.72² - 1) / 6 (Cornish-Fisher)
  if (!(mean > 0)) return 0;
  if (mean > 100) return std::ceil(mean + deviations * std::sqrt(mean) + skewness);
  double term = std::exp(-mean), within = term, most = 0;
  while (within < 1 - risk) within += term *= mean / ++most;
  return most;
}

namespace {

double rate_by_chance(const SloTerms& slo, const SourceTerms& source) {
  return source.by_chance ? source.window_events / seconds(slo.window) : 0;
}

double unseen_of(double rate_most, double by_chance, Duration time) {
  return std::max(rate_most * seconds(time), most_by_chance(by_chance * seconds(time)));
}

}  // namespace

double most_unseen(const SloTerms& slo, const SourceTerms& source, Duration time) {
  return unseen_of(source.rate_most, rate_by_chance(slo, source), time);
}

Budget::Budget(const SloTerms& slo, const SourceTerms& source, Duration rollback)
    : units_(budget_units(slo, source)), rate_most_(source.rate_most), rate_by_chance_(rate_by_chance(slo, source)), rollback_(rollback) {
  if (slo.method != Method::occurrences) slices_.emplace(slo, source);
}

void Budget::begin(Duration at) {
  if (begun_) return;
  begun_ = true;
  begin_ = at;
}

double Budget::unseen(Duration time) const { return unseen_of(rate_most_, rate_by_chance_, time); }

// Events that may have happened in the slice and are not in it. Where the share of who is silent is known they are charged, and those who
// spoke are not; of series that were born late what they count already; else everything up to the highest rate.
double Budget::missing_of(const Slice& slice) const {
  if (slice.state == Freshness::fresh) return 0;
  const double most = rate_most_ * std::max(seconds(slice.end - std::max(begin_, slice.begin)), 0.0);
  if (slice.missing || slice.unknown)
    return std::min(most * std::clamp(slice.missing.value_or(0), 0.0, 1.0) + std::max(slice.unknown.value_or(0), 0.0), most);
  return std::max(most - static_cast<double>(slice.total), 0.0);
}

std::vector<TimeSlice> Budget::add(const Slice& slice) {
  const Duration gap = slice.begin - std::max(begin_, known_until_);
  const double missing = missing_of(slice);
  if (covers(slice.end)) {
    total_ += slice.total;
    bad_ += slice.bad;
  }
  std::vector<TimeSlice> closed;
  if (slices_) {
    closed = add_to_slices(slice, missing);
  } else if (covers(slice.end)) {
    take_back(slice);
    bad_units_ += static_cast<double>(slice.bad);
    lost_units_ += rate_most_ * std::max(seconds(gap), 0.0) + missing;
  }
  known_until_ = std::max(known_until_, std::min(slice.newest, slice.end));
  return closed;
}

// What was charged for those who tell of their silence now: their events are in this slice. A time slice that is over stays charged, for
// nobody knows how many of them belong to it.
void Budget::take_back(const Slice& slice) {
  for (const Returned& one : slice.returned) {
    const double silent = std::max(seconds(one.end - std::max(begin_, one.begin)), 0.0);
    lost_units_ = std::max(lost_units_ - rate_most_ * std::clamp(one.share, 0.0, 1.0) * silent, 0.0);
  }
}

std::vector<TimeSlice> Budget::add_to_slices(const Slice& slice, double missing) {
  std::vector<TimeSlice> closed;
  if (known_until_ > Duration{} && slice.begin > known_until_)
    closed = slices_->add(known_until_, slice.begin, 0, 0, rate_most_ * seconds(slice.begin - known_until_));
  for (TimeSlice& each : slices_->add(slice.begin, slice.end, static_cast<double>(slice.total), static_cast<double>(slice.bad), missing))
    closed.push_back(each);
  for (const TimeSlice& each : closed) {
    if (!covers(each.end)) continue;
    bad_units_ += each.bad;
    lost_units_ += each.unknown;
  }
  return closed;
}

Duration Budget::blind(Duration now) const {
  return std::max(now - (begun_ ? std::max(begin_, known_until_) : known_until_), Duration::zero());
}

bool Budget::unknown(Duration now) const { return begun_ && (lost_units_ > 0 || blind(now) > Duration{}); }

double Budget::spent() const { return (bad_units_ + (slices_ && begun_ ? slices_->certain() : 0)) / units_; }

double Budget::charged(Duration now) const {
  if (!begun_) return 0;
  const double known = bad_units_ + lost_units_;
  if (slices_) return (known + std::max(slices_->worst(now + rollback_), slices_->certain())) / units_;
  return (known + unseen(blind(now) + rollback_)) / units_;
}

}  // namespace arashi::guard
