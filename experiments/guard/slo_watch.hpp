// One SLO: its sources side by side, and what they say together. Their e-values are averaged, which is an e-value under any dependence;
// cap and burn rates go by the authoritative source that is worst off.
#pragma once

#include "experiments/guard/source_watch.hpp"

namespace arashi::guard {

class SloWatch {
 public:
  SloWatch(const SloTerms& terms, const Config& config);
  void injected(Duration at);
  void reverted(Duration at);
  void observe(const Slice& slice, std::size_t source);

  [[nodiscard]] SloState state(Duration now) const;
  // Appends why to abort, and why to start nothing further.
  void judge(Duration now, std::vector<Reason>& aborts, std::vector<Reason>& holds) const;

 private:
  [[nodiscard]] double log_e() const;
  [[nodiscard]] const SourceWatch& worst(Duration now) const;  // charged the most of what it may
  [[nodiscard]] std::vector<const SourceWatch*> authoritative() const;
  [[nodiscard]] const SourceWatch* without_data(Duration now) const;  // for the longest; none: nullptr
  [[nodiscard]] const SourceWatch* not_ready(Duration now) const;
  [[nodiscard]] std::optional<Reason> cap_reason(Duration now) const;
  [[nodiscard]] std::optional<Reason> e_process_reason() const;
  [[nodiscard]] std::optional<Reason> burn_reason() const;
  [[nodiscard]] Reason no_data_reason(const SourceWatch& source, Duration now) const;
  [[nodiscard]] std::optional<Effect> effect() const;
  [[nodiscard]] std::string of_source(const SourceWatch& source) const;  // " (load checkout)", where there are several

  SloTerms terms_;
  OnNoData on_no_data_;
  Duration hold_{};
  Null null_;
  std::vector<SourceWatch> sources_;
  double highest_log_e_ = 0;
  std::uint64_t held_needs_ = 0;
};

}  // namespace arashi::guard
