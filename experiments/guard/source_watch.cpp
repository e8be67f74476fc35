#include "experiments/guard/source_watch.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace arashi::guard {
namespace {

constexpr Duration quick_for = std::chrono::seconds(10);
constexpr double fewest_events = 10;  // a handful of failures at one request a second is chance, not a burn
constexpr double fewest_slices = 2;
constexpr double incident_chance = 0.05;  // of calling an incident what is none: it explains an abort, it does not cause one

double stake_limit(const Config& config, const Null& null) {
  return config.grace > Duration{} ? stake_for(config.grace, -std::log(null.alpha), null.m) : 0;
}

// The mirror test looks at events: of time slices there are too few. Slices keep their target while events keep theirs.
double held_null_of(const SloTerms& slo, const Null& null) { return slo.method == Method::timeslices ? 1 - slo.slice_target : null.m; }

}  // namespace

// A long run may burn slower than the alert's threshold and still spend more than it may: the null is then what the budget allows.
// Of an SLO that counts lost demand half the risk is that test's.
Null null_of(const SloTerms& slo, const Config& config) {
  const double of_budget = config.budget * seconds(slo.window) / seconds(config.length);
  Null null{.burn = std::min(config.burn, of_budget)};
  null.m = null.burn * (1 - slo.objective);
  null.alpha = config.alpha / static_cast<double>(config.slos.size());
  if (slo.count_lost != CountLost::no) null.alpha_lost = null.alpha /= 2;
  null.alpha_lost /= static_cast<double>(std::max<std::size_t>(slo.sources.size(), 1));
  return null;
}

SourceWatch::SourceWatch(const SloTerms& slo, const SourceTerms& source, const Config& config)
    : terms_(source),
      method_(slo.method),
      quick_test_(slo.method != Method::timeslices && config.grace == Duration{}),
      null_(null_of(slo, config)),
      limit_(allowance(slo, source, config)),
      budget_(slo, source, config.rollback),
      rates_(slo.objective, budget_.units(), slo.method == Method::timeslices ? fewest_slices : fewest_events,
             burn_rules(slo, config, limit_)),
      slices_(null_.m, config.length, stake_limit(config, null_)),
      finished_log_e_(-std::numeric_limits<double>::infinity()),
      held_null_(held_null_of(slo, null_)),
      held_(held_null_),
      control_(null_.m, config.length, -std::log(incident_chance)),
      count_lost_(slo.count_lost),
      lost_(slo.count_lost, config.length, -std::log(null_.alpha_lost)) {}

void SourceWatch::injected(Duration at) {
  budget_.begin(at);
  const auto j = static_cast<double>(++injections_);
  if (quick_test_) {
    quick_.push_back({at, -std::log(j * (j + 1)), RequestTest(null_.m)});
    log_unused_weight_ = -std::log(j + 1);  // 1 - (1/2 + 1/6 + ... )
  }
  watching_ = true;
}

void SourceWatch::reverted(Duration at) {
  watching_ = false;
  reverted_ = at;
}

bool SourceWatch::observe(const Slice& slice) {
  const bool was_usable = has_counts(freshness_);
  freshness_ = slice.state;
  problem_ = slice.problem;
  if (!has_counts(freshness_)) {
    if (was_usable) unusable_since_ = slice.end;
    return false;
  }
  // A source that repeats itself, or speaks of the past, adds no events.
  if (slice.end <= slice.begin || slice.end <= budget_.known_until()) return false;
  seen_events_ = seen_events_ || slice.total > 0;
  Slice sane = slice;
  sane.total = std::max(slice.total, slice.bad);
  account(sane);
  return true;
}

// With the events that are shown to be missing. What a partial slice lacks is unknown and charged as that: it is no evidence of lost
// demand.
Slice SourceWatch::with_lost(const Slice& slice, bool charged) {
  Slice whole = slice;
  if (count_lost_ == CountLost::no || slice.state != Freshness::fresh) return whole;
  if (!charged) {
    lost_.learn(slice);
    return whole;
  }
  const std::uint64_t missing = lost_.add(slice);
  whole.total += missing;
  whole.bad += missing;
  return whole;
}

void SourceWatch::account(const Slice& slice) {
  const bool charged = budget_.covers(slice.end);
  const Slice whole = with_lost(slice, charged);
  const auto closed = budget_.add(whole);
  if (method_ == Method::timeslices) {
    for (const TimeSlice& each : closed) {
      if (!each.counts) continue;
      rates_.add(each.begin, each.end, 1, each.bad);
      if (budget_.covers(each.end)) slices_.add(1, each.bad, each.end - each.begin);
    }
  } else {
    rates_.add(whole.begin, whole.end, static_cast<double>(whole.total), static_cast<double>(whole.bad));
  }
  if (charged) bet(whole);
}

void SourceWatch::bet(const Slice& slice) {
  if (method_ != Method::timeslices) slices_.add(static_cast<double>(slice.total), static_cast<double>(slice.bad), slice.end - slice.begin);
  bet_quickly(slice);
  if (!watching_ && slice.begin >= reverted_) {
    if (slice.control) control_.add_after(slice);
    return;
  }
  bet_on_held(slice);
  if (slice.control) control_.add(slice);
}

// Only what is known of everybody is evidence that the SLO held: those that are silent may be those that fail. And no more events than can
// have come: a counter that appears with the count of its whole life is no proof of anything.
void SourceWatch::bet_on_held(const Slice& slice) {
  const double possible = std::ceil(terms_.rate_most * seconds(slice.end - slice.begin));
  std::uint64_t total = slice.state == Freshness::fresh ? slice.total : slice.bad;
  if (static_cast<double>(total) > possible) total = std::max(slice.bad, static_cast<std::uint64_t>(possible));
  held_.add(total, slice.bad);
}

void SourceWatch::bet_quickly(const Slice& slice) {
  for (QuickTest& quick : quick_)
    if (slice.end > quick.begin && slice.end <= quick.begin + quick_for + std::chrono::seconds(1)) quick.test.add(slice.total, slice.bad);
}

std::optional<Effect> SourceWatch::effect() const { return control_.seen() ? std::optional(control_.effect()) : std::nullopt; }

// The mean of two e-values is an e-value: P(false abort) <= alpha holds for both tests together. A quick test that is over keeps its
// wealth.
double SourceWatch::log_e() const {
  if (!quick_test_) return slices_.log_e();
  double quick = log_add(finished_log_e_, log_unused_weight_);
  for (const QuickTest& each : quick_) quick = log_add(quick, each.log_weight + each.test.log_e());
  return log_add(slices_.log_e(), quick) - std::log(2.0);
}

Freshness SourceWatch::freshness(Duration now) const {
  if (!has_counts(freshness_)) return freshness_;
  return budget_.blind(now) > terms_.patience ? Freshness::silent : freshness_;
}

Duration SourceWatch::unusable_for(Duration now) const {
  if (!has_counts(freshness_)) return std::max(now - unusable_since_, Duration::zero());
  return std::max(budget_.blind(now) - terms_.patience, Duration::zero());
}

SourceState SourceWatch::state(Duration now) const {
  return {.name = terms_.name,
          .authoritative = terms_.authoritative,
          .total = budget_.total(),
          .bad = budget_.bad(),
          .budget_spent = budget_.spent(),
          .budget_charged = budget_.charged(now),
          .burn_rate = rates_.over(std::chrono::seconds(10)),
          .log_e = log_e(),
          .state = freshness(now),
          .newest = budget_.known_until(),
          .problem = has_counts(freshness_) ? "" : problem_};
}

}  // namespace arashi::guard
