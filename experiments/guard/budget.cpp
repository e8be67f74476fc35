#include "experiments/guard/budget.hpp"

#include <algorithm>

namespace arashi::guard {

Budget::Budget(const SloTerms& terms, Duration rollback)
    : events_((1 - terms.objective) * terms.window_events), rate_most_(terms.rate_most), reserve_(terms.rate_most * seconds(rollback)) {}

void Budget::begin(Duration at) {
  if (begun_) return;
  begun_ = true;
  begin_ = at;
}

void Budget::add(const Slice& slice) {
  if (covers(slice)) {
    total_ += slice.total;
    bad_ += slice.bad;
    const Duration from = std::max(begin_, slice.begin);
    const Duration gap = slice.begin - std::max(begin_, known_until_);
    lost_ += rate_most_ * std::max(seconds(gap), 0.0);
    if (slice.state == Freshness::partial)
      lost_ += std::max(rate_most_ * seconds(slice.end - from) - static_cast<double>(slice.total), 0.0);
  }
  known_until_ = std::max(known_until_, std::min(slice.newest, slice.end));
}

Duration Budget::blind(Duration now) const {
  return std::max(now - (begun_ ? std::max(begin_, known_until_) : known_until_), Duration::zero());
}

double Budget::unknown(Duration now) const { return begun_ ? lost_ + rate_most_ * seconds(blind(now)) : 0; }

double Budget::spent() const { return static_cast<double>(bad_) / events_; }

double Budget::charged(Duration now) const { return begun_ ? (static_cast<double>(bad_) + unknown(now) + reserve_) / events_ : 0; }

}  // namespace arashi::guard
