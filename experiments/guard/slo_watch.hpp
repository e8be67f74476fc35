// All that the guard knows of one SLO: its three layers fed with the same slices, and what they say.
#pragma once

#include "experiments/guard/budget.hpp"
#include "experiments/guard/burn_rate.hpp"
#include "experiments/guard/e_process.hpp"
#include "experiments/guard/guard.hpp"

namespace arashi::guard {

class SloWatch {
 public:
  SloWatch(const SloTerms& terms, const Config& config);
  void injected(Duration at);
  void reverted(Duration at);
  void observe(const Slice& slice);

  [[nodiscard]] SloState state(Duration now) const;
  // Appends why to abort, and why to start nothing further.
  void judge(Duration now, std::vector<Reason>& aborts, std::vector<Reason>& holds) const;

 private:
  // The per-request test of the ten seconds after one injection. The e-values of all injections are averaged with weights 1/2, 1/6,
  // 1/12 ... that are fixed beforehand and sum to 1, so their number need not be known.
  struct QuickTest {
    Duration begin{};
    double log_weight = 0;
    RequestTest test;
  };

  void bet(const Slice& slice);
  [[nodiscard]] double log_e() const;
  [[nodiscard]] bool usable() const { return freshness_ == Freshness::fresh || freshness_ == Freshness::partial; }
  [[nodiscard]] std::optional<Reason> cap_reason(Duration now) const;
  [[nodiscard]] std::optional<Reason> e_process_reason() const;
  [[nodiscard]] std::optional<Reason> burn_reason() const;
  [[nodiscard]] Reason no_data_reason(Duration now) const;

  SloTerms terms_;
  OnNoData on_no_data_;
  Duration hold_{};
  double limit_, alpha_, burn_, m_;  // share of the budget; for this SLO alone; burn rate of the null and its error ratio
  Budget budget_;
  BurnRates rates_;
  SliceTest slices_;
  std::vector<QuickTest> quick_;
  double finished_log_e_;         // of the quick tests that are over
  double log_unused_weight_ = 0;  // of those to come
  double highest_log_e_ = 0;
  HeldTest held_;
  bool watching_held_ = true;
  Duration reverted_{};
  std::size_t injections_ = 0;
  Freshness freshness_ = Freshness::empty;
  Duration unusable_since_{};
  std::string problem_;
  bool seen_events_ = false;
};

}  // namespace arashi::guard
