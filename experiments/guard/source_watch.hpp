// All that the guard knows of one source of one SLO: its layers fed with the same slices. Private to this folder.
#pragma once

#include "experiments/guard/budget.hpp"
#include "experiments/guard/burn_rate.hpp"
#include "experiments/guard/control.hpp"
#include "experiments/guard/e_process.hpp"
#include "experiments/guard/guard.hpp"
#include "experiments/guard/lost_demand.hpp"

namespace arashi::guard {

// What L1 tests: the burn rate that must not be exceeded, its error ratio, and how sure it must be.
struct Null {
  double burn = 0, m = 0;
  double alpha = 0;       // for this SLO's abort
  double alpha_lost = 0;  // for calling demand lost
};
Null null_of(const SloTerms& slo, const Config& config);

class SourceWatch {
 public:
  SourceWatch(const SloTerms& slo, const SourceTerms& source, const Config& config);
  void injected(Duration at);
  void reverted(Duration at);
  // True when it brought counts.
  bool observe(const Slice& slice);

  [[nodiscard]] const SourceTerms& terms() const { return terms_; }
  [[nodiscard]] const Budget& budget() const { return budget_; }
  [[nodiscard]] const BurnRates& rates() const { return rates_; }
  [[nodiscard]] double limit() const { return limit_; }
  [[nodiscard]] double log_e() const;
  [[nodiscard]] double log_held() const { return held_.log_e(); }
  [[nodiscard]] double held_null() const { return held_null_; }
  [[nodiscard]] std::uint64_t lost() const { return lost_.lost(); }
  [[nodiscard]] std::optional<Effect> effect() const;
  [[nodiscard]] SourceState state(Duration now) const;

  [[nodiscard]] Freshness freshness(Duration now) const;
  [[nodiscard]] bool usable(Duration now) const { return has_counts(freshness(now)); }
  [[nodiscard]] bool seen_events() const { return seen_events_; }
  [[nodiscard]] Duration unusable_for(Duration now) const;  // since it was noticed; 0 while usable
  [[nodiscard]] const std::string& problem() const { return problem_; }

 private:
  // The per-request test of the ten seconds after one injection. The e-values of all injections are averaged with weights 1/2, 1/6,
  // 1/12 ... that are fixed beforehand and sum to 1, so their number need not be known.
  struct QuickTest {
    Duration begin{};
    double log_weight = 0;
    RequestTest test;
  };
  void account(const Slice& slice);
  Slice with_lost(const Slice& slice, bool charged);
  void bet(const Slice& slice);
  void bet_quickly(const Slice& slice);
  void bet_on_held(const Slice& slice);

  SourceTerms terms_;
  Method method_;
  bool quick_test_;
  Null null_;
  double limit_;
  Budget budget_;
  BurnRates rates_;
  SliceTest slices_;
  std::vector<QuickTest> quick_;
  double finished_log_e_;         // of the quick tests that are over
  double log_unused_weight_ = 0;  // of those to come
  double held_null_;
  HeldTest held_;
  ControlGroup control_;
  CountLost count_lost_;
  LostDemand lost_;
  bool watching_ = true;  // the faults are in place
  Duration reverted_{};
  std::size_t injections_ = 0;
  Freshness freshness_ = Freshness::silent;
  Duration unusable_since_{};
  std::string problem_;
  bool seen_events_ = false;
};

}  // namespace arashi::guard
