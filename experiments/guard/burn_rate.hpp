// The guard's third layer: multi-window multi-burn-rate rules as in Google's SRE workbook (chapter 5), so that the guard agrees with the
// alerts a team already has, plus three pairs scaled from the experiment's own length and budget.
#pragma once

#include "experiments/guard/guard.hpp"

#include <deque>

namespace arashi::guard {

struct BurnRule {
  Duration longer{}, shorter{};
  double threshold = 0;  // burn rate; both windows must exceed it
  double share = 0;      // of the whole budget: what has been spent when it fires
};

// Those which could fire at all: a threshold of 1/b or more is beyond a total outage.
// With a grace, not those that a total outage of that length could fire by itself.
std::vector<BurnRule> burn_rules(const SloTerms& slo, const Config& config, double budget);

class BurnRates {
 public:
  // `units`: bad ones that are the whole budget. `fewest`: no rule fires with fewer bad ones than that.
  BurnRates(double objective, double units, double fewest, std::vector<BurnRule> rules);
  void add(Duration begin, Duration end, double total, double bad);
  [[nodiscard]] double over(Duration length) const;      // burn rate of the newest stretch of that length; 0 without events
  [[nodiscard]] std::vector<Window> windows() const;     // rules with at least their short window of data
  [[nodiscard]] std::optional<BurnRule> firing() const;  // the one furthest over its threshold

 private:
  struct Sum {
    Duration covered{};
    double total = 0, bad = 0;
  };
  struct Point {
    Duration end{};
    Sum until;  // everything up to `end`
  };
  [[nodiscard]] Sum sum(Duration length) const;
  [[nodiscard]] double burn(const Sum& sum) const;
  [[nodiscard]] bool fires(const BurnRule& rule) const;

  double allowed_, units_, fewest_;
  std::vector<BurnRule> rules_;
  Duration longest_{};
  std::deque<Point> history_;
};

}  // namespace arashi::guard
