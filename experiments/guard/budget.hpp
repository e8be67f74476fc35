// The guard's first layer: a hard cap on the share of an SLO's error budget that this experiment may spend. What is not known is charged
// as if every event were bad, at the highest rate the SLO can have; so silence spends the budget too, and ends the experiment.
#pragma once

#include "experiments/guard/guard.hpp"
#include "experiments/guard/timeslices.hpp"

#include <optional>

namespace arashi::guard {

class Budget {
 public:
  Budget(const SloTerms& slo, const SourceTerms& source, Duration rollback);
  void begin(Duration at);  // the first injection: from here on events are charged
  // One with counts. The time slices that it closes, if the SLO's budget is counted in these.
  std::vector<TimeSlice> add(const Slice& slice);
  [[nodiscard]] bool begun() const { return begun_; }
  [[nodiscard]] bool covers(Duration end) const { return begun_ && end > begin_; }

  [[nodiscard]] double units() const { return units_; }         // bad events, or bad time slices, that are the whole budget
  [[nodiscard]] std::uint64_t total() const { return total_; }  // events since begin
  [[nodiscard]] std::uint64_t bad() const { return bad_; }
  [[nodiscard]] double spent() const;                // share of the budget: bad units seen
  [[nodiscard]] double charged(Duration now) const;  // the same, unknown events, and what a rollback may still cost
  [[nodiscard]] bool unknown(Duration now) const;    // something of what is charged is not known
  [[nodiscard]] Duration blind(Duration now) const;  // since when nothing is known
  [[nodiscard]] Duration known_until() const { return known_until_; }

 private:
  [[nodiscard]] double unseen(Duration time) const;  // events that may come in that time
  [[nodiscard]] double missing_of(const Slice& slice) const;
  void take_back(const Slice& slice);
  std::vector<TimeSlice> add_to_slices(const Slice& slice, double missing);

  double units_, rate_most_;
  double rate_by_chance_;  // mean rate of events that come by chance; 0: of such as come evenly
  Duration rollback_;
  std::optional<TimeSlices> slices_;
  bool begun_ = false;
  Duration begin_{}, known_until_{};
  std::uint64_t total_ = 0, bad_ = 0;
  double bad_units_ = 0;
  double lost_units_ = 0;  // of stretches that no slice will cover any more
};

// So many events a source may bring in a time of which nothing is known yet: at its highest rate, or by chance, whichever is more.
double most_unseen(const SloTerms& slo, const SourceTerms& source, Duration time);
// More than so many come of `mean` by chance (Poisson) once in 10,000 times.
double most_by_chance(double mean);

// The whole budget in units of the SLO's method.
double budget_units(const SloTerms& slo, const SourceTerms& source);

}  // namespace arashi::guard
