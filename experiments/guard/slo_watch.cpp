#include "experiments/guard/slo_watch.hpp"

#include "experiments/guard/words.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace arashi::guard {
namespace {

constexpr Duration quick_for = std::chrono::seconds(10);
constexpr double held_chance = 0.05;  // of calling an SLO held that burned at the threshold

// A long run may burn slower than the alert's threshold and still spend more than it may: the null is then what the budget allows.
double null_burn(const SloTerms& terms, const Config& config) {
  return std::min(config.burn, config.budget * seconds(terms.window) / seconds(config.length));
}

}  // namespace

SloWatch::SloWatch(const SloTerms& terms, const Config& config)
    : terms_(terms),
      on_no_data_(config.on_no_data),
      hold_(config.hold),
      limit_(config.budget),
      alpha_(config.alpha / static_cast<double>(config.slos.size())),
      burn_(null_burn(terms, config)),
      m_(burn_ * (1 - terms.objective)),
      budget_(terms, config.rollback),
      rates_(terms, burn_rules(terms, config.budget, config.length)),
      slices_(m_, config.length),
      finished_log_e_(-std::numeric_limits<double>::infinity()),
      held_(m_) {}

void SloWatch::injected(Duration at) {
  budget_.begin(at);
  const auto j = static_cast<double>(++injections_);
  quick_.push_back({at, -std::log(j * (j + 1)), RequestTest(m_)});
  log_unused_weight_ = -std::log(j + 1);  // 1 - (1/2 + 1/6 + ... )
  watching_held_ = true;
}

void SloWatch::reverted(Duration at) {
  watching_held_ = false;
  reverted_ = at;
}

void SloWatch::observe(const Slice& slice) {
  const bool was_usable = usable();
  freshness_ = slice.state;
  problem_ = slice.problem;
  if (!usable() && was_usable) unusable_since_ = slice.end;
  if (!usable()) return;
  // A source that repeats itself, or speaks of the past, adds no events.
  if (slice.end <= slice.begin || slice.end <= budget_.known_until()) return;
  seen_events_ = seen_events_ || slice.total > 0;
  Slice sane = slice;
  sane.total = std::max(slice.total, slice.bad);
  if (budget_.covers(sane)) bet(sane);
  budget_.add(sane);
  rates_.add(sane);
}

void SloWatch::bet(const Slice& slice) {
  slices_.add(slice.total, slice.bad, slice.end - slice.begin);
  for (QuickTest& quick : quick_)
    if (slice.end > quick.begin && slice.end <= quick.begin + quick_for + std::chrono::seconds(1)) quick.test.add(slice.total, slice.bad);
  highest_log_e_ = std::max(highest_log_e_, log_e());
  std::erase_if(quick_, [&](const QuickTest& quick) {  // its wealth stays, the test is over
    if (slice.end <= quick.begin + quick_for) return false;
    finished_log_e_ = log_add(finished_log_e_, quick.log_weight + quick.test.log_e());
    return true;
  });
  if (watching_held_ || slice.begin < reverted_) held_.add(slice.total, slice.bad);
}

// The mean of two e-values is an e-value: P(false abort) <= alpha holds for both tests together.
double SloWatch::log_e() const {
  double quick = log_add(finished_log_e_, log_unused_weight_);
  for (const QuickTest& each : quick_) quick = log_add(quick, each.log_weight + each.test.log_e());
  return log_add(slices_.log_e(), quick) - std::log(2.0);
}

SloState SloWatch::state(Duration now) const {
  SloState state;
  state.name = terms_.name;
  state.total = budget_.total();
  state.bad = budget_.bad();
  state.budget_spent = budget_.spent();
  state.budget_charged = budget_.charged(now);
  state.burn_rate = rates_.over(std::chrono::seconds(10));
  state.windows = rates_.windows();
  state.log_e = log_e();
  state.log_threshold = -std::log(alpha_);
  state.log_held = held_.log_e();
  state.log_held_threshold = -std::log(held_chance);
  state.state = freshness_;
  state.newest = budget_.known_until();
  return state;
}

std::optional<Reason> SloWatch::cap_reason(Duration now) const {
  const double charged = budget_.charged(now);
  if (!budget_.begun() || charged < limit_) return std::nullopt;
  const std::string period = window_words(terms_.window);
  std::string text = terms_.name + " has spent " + percent_words(budget_.spent()) + " of its " + period + " budget";
  if (budget_.spent() < limit_) {
    text += " and could be at " + percent_words(charged) + " by the time all is rolled back";
    if (budget_.unknown(now) > 0) text += ", for nothing is known of the last " + period_words(budget_.blind(now));
    if (!usable() && !problem_.empty()) text += " (" + problem_ + ")";
  }
  text += "; the limit of this experiment is " + percent_words(limit_);
  return Reason{terms_.name, Layer::cap, charged, limit_, text};
}

std::optional<Reason> SloWatch::e_process_reason() const {
  const double threshold = -std::log(alpha_);
  if (!budget_.begun() || highest_log_e_ < threshold) return std::nullopt;
  const double share = static_cast<double>(budget_.bad()) / static_cast<double>(std::max<std::uint64_t>(budget_.total(), 1));
  std::string text = terms_.name + " burns its budget more than " + number_words(burn_) +
                     " times as fast as it may: " + std::to_string(budget_.bad()) + " of " + std::to_string(budget_.total()) +
                     " requests were bad (" + percent_words(share) +
                     ") since the first injection; the chance that this is an accident is below " + percent_words(alpha_);
  return Reason{terms_.name, Layer::e_process, highest_log_e_, threshold, text};
}

std::optional<Reason> SloWatch::burn_reason() const {
  const auto rule = rates_.firing();
  if (!rule) return std::nullopt;
  const double burn = rates_.over(rule->longer);
  std::string text = terms_.name + " burned its budget at " + number_words(burn) + " times the rate it may in the last " +
                     period_words(rule->longer) + "; from " + number_words(rule->threshold) + " on that is an alert";
  return Reason{terms_.name, Layer::burn_rate, burn, rule->threshold, text};
}

Reason SloWatch::no_data_reason(Duration now) const {
  const Duration limit = on_no_data_ == OnNoData::hold ? hold_ : Duration::zero();
  const Duration silent = usable() ? budget_.blind(now) : std::max(now - unusable_since_, Duration::zero());
  std::string text = terms_.name + ": ";
  if (usable())
    text += "no request has been seen yet";
  else
    text += "no data (" + std::string(name_of(freshness_)) + ") since " + period_words(silent);
  if (!problem_.empty()) text += ": " + problem_;
  return Reason{terms_.name, Layer::no_data, seconds(silent), seconds(limit), text};
}

void SloWatch::judge(Duration now, std::vector<Reason>& aborts, std::vector<Reason>& holds) const {
  for (auto& reason : {cap_reason(now), e_process_reason(), burn_reason()})
    if (reason) aborts.push_back(*reason);
  if (!budget_.begun()) {
    if (!usable() || !seen_events_) holds.push_back(no_data_reason(now));
    return;
  }
  if (usable() || on_no_data_ == OnNoData::charge) return;
  const Reason reason = no_data_reason(now);
  const bool over = on_no_data_ == OnNoData::abort || now - unusable_since_ >= hold_;
  (over ? aborts : holds).push_back(reason);
}

}  // namespace arashi::guard
