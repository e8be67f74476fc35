// The guard's first layer: a hard cap on the share of an SLO's error budget that this experiment may spend. What is not known is charged
// as if every event were bad, at the highest rate the SLO can have; so silence spends the budget too, and ends the experiment.
#pragma once

#include "experiments/guard/guard.hpp"

namespace arashi::guard {

class Budget {
 public:
  Budget(const SloTerms& terms, Duration rollback);
  void begin(Duration at);       // the first injection: from here on events are charged
  void add(const Slice& slice);  // fresh or partial
  [[nodiscard]] bool begun() const { return begun_; }
  [[nodiscard]] bool covers(const Slice& slice) const { return begun_ && slice.end > begin_; }

  [[nodiscard]] double events() const { return events_; }       // bad events that are the whole budget
  [[nodiscard]] std::uint64_t total() const { return total_; }  // since begin
  [[nodiscard]] std::uint64_t bad() const { return bad_; }
  [[nodiscard]] double spent() const;                // share of the budget: bad events seen
  [[nodiscard]] double charged(Duration now) const;  // the same, unknown events, and what a rollback may still cost
  [[nodiscard]] double unknown(Duration now) const;  // events that may be bad for all we know
  [[nodiscard]] Duration blind(Duration now) const;  // since when nothing is known
  [[nodiscard]] Duration known_until() const { return known_until_; }

 private:
  double events_, rate_most_, reserve_;
  bool begun_ = false;
  Duration begin_{}, known_until_{};
  std::uint64_t total_ = 0, bad_ = 0;
  double lost_ = 0;  // events of stretches that no slice will cover any more
};

}  // namespace arashi::guard
