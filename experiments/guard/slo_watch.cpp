#include "experiments/guard/slo_watch.hpp"

#include "experiments/guard/words.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace arashi::guard {
namespace {

constexpr double held_chance = 0.05;  // of calling an SLO held that burned at the threshold

}  // namespace

SloWatch::SloWatch(const SloTerms& terms, const Config& config)
    : terms_(terms), on_no_data_(config.on_no_data), hold_(config.hold), null_(null_of(terms, config)) {
  for (const SourceTerms& source : terms.sources) sources_.emplace_back(terms, source, config);
  for (const SourceWatch& source : sources_)
    held_needs_ = std::max(held_needs_, HeldTest::clean_events(source.held_null(), -std::log(held_chance)));
}

void SloWatch::injected(Duration at) {
  for (SourceWatch& source : sources_) source.injected(at);
}

void SloWatch::reverted(Duration at) {
  for (SourceWatch& source : sources_) source.reverted(at);
}

void SloWatch::observe(const Slice& slice, std::size_t source) {
  if (source < sources_.size() && sources_[source].observe(slice)) highest_log_e_ = std::max(highest_log_e_, log_e());
}

double SloWatch::log_e() const {
  double sum = -std::numeric_limits<double>::infinity();
  for (const SourceWatch& source : sources_) sum = log_add(sum, source.log_e());
  return sum - std::log(static_cast<double>(sources_.size()));
}

std::vector<const SourceWatch*> SloWatch::authoritative() const {
  std::vector<const SourceWatch*> result;
  for (const SourceWatch& source : sources_)
    if (source.terms().authoritative) result.push_back(&source);
  return result;
}

const SourceWatch& SloWatch::worst(Duration now) const {
  const auto all = authoritative();
  const auto share = [&](const SourceWatch* source) { return source->budget().charged(now) / source->limit(); };
  return **std::max_element(all.begin(), all.end(), [&](const auto* a, const auto* b) { return share(a) < share(b); });
}

const SourceWatch* SloWatch::without_data(Duration now) const {
  const SourceWatch* longest = nullptr;
  for (const SourceWatch* source : authoritative()) {
    if (source->usable(now)) continue;
    if (longest == nullptr || source->unusable_for(now) > longest->unusable_for(now)) longest = source;
  }
  return longest;
}

std::string SloWatch::of_source(const SourceWatch& source) const {
  return sources_.size() == 1 || source.terms().name.empty() ? "" : " (" + source.terms().name + ")";
}

std::optional<Effect> SloWatch::effect() const {
  for (const SourceWatch& source : sources_)
    if (auto effect = source.effect()) return effect;
  return std::nullopt;
}

SloState SloWatch::state(Duration now) const {
  const SourceWatch& shown = worst(now);
  const SourceWatch* missing = without_data(now);
  SloState state;
  state.name = terms_.name;
  state.total = shown.budget().total();
  state.bad = shown.budget().bad();
  state.lost = shown.lost();
  state.budget_spent = shown.budget().spent();
  state.budget_charged = shown.budget().charged(now);
  state.budget_limit = shown.limit();
  state.extrapolated = shown.terms().extrapolated;
  state.period = terms_.period;
  state.burn_rate = shown.rates().over(std::chrono::seconds(10));
  if (shown.budget().begun() && state.burn_rate > 1) {
    const double left = std::max(state.budget_limit - state.budget_spent, 0.0) * seconds(terms_.window) / state.burn_rate;
    state.lasts = Duration(static_cast<std::int64_t>(left * 1e9));
  }
  state.windows = shown.rates().windows();
  state.log_e = log_e();
  state.log_threshold = -std::log(null_.alpha);
  state.log_held = std::numeric_limits<double>::infinity();
  for (const SourceWatch* source : authoritative()) state.log_held = std::min(state.log_held, source->log_held());
  state.log_held_threshold = -std::log(held_chance);
  state.held_needs = held_needs_;
  state.state = missing != nullptr ? missing->freshness(now) : shown.freshness(now);
  state.newest = shown.budget().known_until();
  for (const SourceWatch& source : sources_) state.sources.push_back(source.state(now));
  state.effect = effect();
  return state;
}

std::optional<Reason> SloWatch::cap_reason(Duration now) const {
  const SourceWatch& source = worst(now);
  const Budget& budget = source.budget();
  const double charged = budget.charged(now);
  if (!budget.begun() || charged < source.limit()) return std::nullopt;
  std::string text = terms_.name + of_source(source) + ": error budget used " + percent_text(budget.spent()) + " of " +
                     (terms_.period.empty() ? window_words(terms_.window) : terms_.period) + " (limit " + percent_text(source.limit()) +
                     ")";
  if (source.lost() > 0) text += " (" + std::to_string(source.lost()) + " of the bad requests did not arrive)";
  if (budget.spent() < source.limit()) {
    text += ", up to " + percent_text(charged) + " when everything is reverted";
    if (budget.unknown(now)) text += ", because there is no data for the last " + period_text(budget.blind(now));
    if (!source.usable(now) && !source.problem().empty()) text += " (" + source.problem() + ")";
  }
  return Reason{terms_.name, Layer::cap, charged, source.limit(), text, budget.spent() < source.limit()};
}

std::optional<Reason> SloWatch::e_process_reason() const {
  const double threshold = -std::log(null_.alpha);
  if (!sources_.front().budget().begun() || highest_log_e_ < threshold) return std::nullopt;
  const auto loudest =
      std::max_element(sources_.begin(), sources_.end(), [](const auto& a, const auto& b) { return a.log_e() < b.log_e(); });
  const Budget& budget = loudest->budget();
  const double share = static_cast<double>(budget.bad()) / static_cast<double>(std::max<std::uint64_t>(budget.total(), 1));
  std::string text = terms_.name + of_source(*loudest) + ": burn rate above " + factor_text(null_.burn) +
                     " since the first injection: " + std::to_string(budget.bad()) + " of " + std::to_string(budget.total()) +
                     " requests bad (" + percent_text(share) + "), significance p < " + number_text(null_.alpha);
  if (const auto seen = effect()) text += "; " + cause_words(*seen);
  return Reason{terms_.name, Layer::e_process, highest_log_e_, threshold, text};
}

std::optional<Reason> SloWatch::burn_reason() const {
  std::optional<Reason> strongest;
  for (const SourceWatch* source : authoritative()) {
    const auto rule = source->rates().firing();
    if (!rule) continue;
    const double burn = source->rates().over(rule->longer);
    if (strongest && burn / rule->threshold <= strongest->value / strongest->threshold) continue;
    const std::string text = terms_.name + of_source(*source) + ": burn rate " + factor_text(burn) + " over the last " +
                             period_text(rule->longer) + " (alert threshold " + factor_text(rule->threshold) + ")";
    strongest = Reason{terms_.name, Layer::burn_rate, burn, rule->threshold, text};
  }
  return strongest;
}

Reason SloWatch::no_data_reason(const SourceWatch& source, Duration now) const {
  const Duration limit = on_no_data_ == OnNoData::hold ? hold_ : Duration::zero();
  Duration silent = source.unusable_for(now);
  std::string text = terms_.name + of_source(source) + ": ";
  if (source.usable(now)) {
    silent = source.budget().blind(now);
    text += "no request seen yet";
  } else if (source.freshness(now) == Freshness::silent) {
    silent = source.budget().blind(now);
    text += "no data for " + period_text(silent);
  } else {
    text += "no usable data (" + std::string(name_of(source.freshness(now))) + ") for " + period_text(silent);
  }
  if (!source.problem().empty()) text += ": " + source.problem();
  return Reason{terms_.name, Layer::no_data, seconds(silent), seconds(limit), text, true};
}

// Without data, or without a single event so far: nothing may start.
const SourceWatch* SloWatch::not_ready(Duration now) const {
  if (const SourceWatch* missing = without_data(now)) return missing;
  const auto all = authoritative();
  const auto quiet = std::find_if(all.begin(), all.end(), [](const SourceWatch* source) { return !source->seen_events(); });
  return quiet == all.end() ? nullptr : *quiet;
}

void SloWatch::judge(Duration now, std::vector<Reason>& aborts, std::vector<Reason>& holds) const {
  for (auto& reason : {cap_reason(now), e_process_reason(), burn_reason()})
    if (reason) aborts.push_back(*reason);
  if (!sources_.front().budget().begun()) {
    if (const SourceWatch* waits_for = not_ready(now)) holds.push_back(no_data_reason(*waits_for, now));
    return;
  }
  const SourceWatch* missing = without_data(now);
  if (missing == nullptr || on_no_data_ == OnNoData::charge) return;
  const bool over = on_no_data_ == OnNoData::abort || missing->unusable_for(now) >= hold_;
  (over ? aborts : holds).push_back(no_data_reason(*missing, now));
}

}  // namespace arashi::guard
