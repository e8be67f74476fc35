// The untouched replicas as a concurrent control. Given a bad event, it is one of the faulted replicas' with the odds of their traffic,
// unless the fault does harm; so an incident or a traffic shift that hits both cancels out. Private to this folder.
// Poisson/binomial A/B under time-varying intensities: Lindon & Malek, NeurIPS 2022; for counts without replacement the binomial bet is
// still fair, because a convex function's mean is no higher under the hypergeometric (Hoeffding 1963).
#pragma once

#include "experiments/guard/e_process.hpp"
#include "experiments/guard/guard.hpp"

#include <optional>

namespace arashi::guard {

class ControlGroup {
 public:
  // m: the error ratio of L1's null. `log_incident`: from here on the control itself burns.
  ControlGroup(double m, Duration planned, double log_incident);
  void add(const Slice& slice);  // one with a control, while the faults stand
  // One after they have gone: of the effect it says nothing, but if the untouched replicas burn now it is by an incident.
  void add_after(const Slice& slice);
  [[nodiscard]] bool seen() const { return seen_; }
  [[nodiscard]] Effect effect() const;

 private:
  Counts treated_, control_;
  bool seen_ = false;
  void look_at_untouched(const Slice& slice, const Counts& untouched);

  std::vector<double> likelihood_;  // log, per ratio of the grid
  // Do the untouched ones burn? By slices, and in the first seconds by requests, as the guard itself tests: so it is known as soon as an
  // incident stops the run.
  SliceTest incident_;
  RequestTest early_incident_;
  std::optional<Duration> first_;
  double highest_incident_ = 0, log_threshold_;
};

}  // namespace arashi::guard
