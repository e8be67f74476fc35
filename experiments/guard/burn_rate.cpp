#include "experiments/guard/burn_rate.hpp"

#include <algorithm>

namespace arashi::guard {
namespace {

// Share of the budget spent in a part of the SLO's window: 2 % in an hour of 30 days is a burn rate of 14.4.
BurnRule rule(const SloTerms& slo, double share, Duration longer) {
  const Duration shorter = std::max<Duration>(longer / 12, std::chrono::seconds(1));
  return {longer, shorter, share * seconds(slo.window) / seconds(longer), share};
}

}  // namespace

std::vector<BurnRule> burn_rules(const SloTerms& slo, const Config& config, double budget) {
  const Duration length = config.length;
  std::vector<BurnRule> rules = {
      rule(slo, 0.02, slo.window / 720),  // of 30 days: 1 h
      rule(slo, 0.05, slo.window / 120),  // 6 h
      rule(slo, 0.10, slo.window / 10),   // 3 d
      rule(slo, 0.1 * budget, length / 60), rule(slo, 0.3 * budget, length / 10), rule(slo, budget, length),
  };
  const double allowed = 1 - slo.objective;
  std::erase_if(rules, [&](const BurnRule& each) {
    const double in_grace = std::min(seconds(config.grace) / seconds(each.longer), 1.0);  // error ratio of the window
    return !(each.threshold * allowed < 1) || !(in_grace <= each.threshold * allowed);
  });
  return rules;
}

BurnRates::BurnRates(double objective, double units, double fewest, std::vector<BurnRule> rules)
    : allowed_(1 - objective), units_(units), fewest_(fewest), rules_(std::move(rules)) {
  longest_ = std::chrono::seconds(10);
  for (const BurnRule& each : rules_) longest_ = std::max(longest_, each.longer);
}

void BurnRates::add(Duration begin, Duration end, double total, double bad) {
  Point point{end, history_.empty() ? Sum{} : history_.back().until};
  point.until.covered += end - begin;
  point.until.total += total;
  point.until.bad += bad;
  history_.push_back(point);
  // The first point is what went before: it stays until the second is out of every window too.
  while (history_.size() > 2 && history_[1].end <= end - longest_) history_.pop_front();
}

BurnRates::Sum BurnRates::sum(Duration length) const {
  if (history_.empty()) return {};
  const Duration from = history_.back().end - length;
  const auto first = std::upper_bound(history_.begin(), history_.end(), from, [](Duration t, const Point& p) { return t < p.end; });
  Sum result = history_.back().until;
  if (first != history_.begin()) {
    const Sum& before = std::prev(first)->until;
    result = {result.covered - before.covered, result.total - before.total, result.bad - before.bad};
  }
  return result;
}

double BurnRates::burn(const Sum& sum) const { return sum.total > 0 ? sum.bad / sum.total / allowed_ : 0; }

double BurnRates::over(Duration length) const { return burn(sum(length)); }

std::vector<Window> BurnRates::windows() const {
  std::vector<Window> result;
  for (const BurnRule& each : rules_) {
    const Sum seen = sum(each.longer);
    if (seen.covered >= each.shorter) result.push_back({each.longer, burn(seen), each.threshold});
  }
  return result;
}

// A run is younger than most windows. What exists stands for the window, but a young window is touchy: it fires only when the share
// that the rule stands for has really been spent (in a full window at the usual traffic that is the same thing).
bool BurnRates::fires(const BurnRule& rule) const {
  const Sum seen = sum(rule.longer);
  if (seen.covered < rule.shorter) return false;
  const bool young = seen.covered < rule.longer - rule.longer / 100;
  const double floor = std::max(fewest_, young ? rule.share * units_ : 0);
  return burn(seen) > rule.threshold && burn(sum(rule.shorter)) > rule.threshold && seen.bad >= floor;
}

std::optional<BurnRule> BurnRates::firing() const {
  std::optional<BurnRule> worst;
  double excess = 0;
  for (const BurnRule& each : rules_) {
    const double ratio = over(each.longer) / each.threshold;
    if (fires(each) && ratio > excess) {
      worst = each;
      excess = ratio;
    }
  }
  return worst;
}

}  // namespace arashi::guard
