// The untouched replicas as a concurrent control. Given a bad event, it is one of the faulted replicas' with the odds of their traffic,
// unless the fault does harm; so an incident or a traffic shift that hits both cancels out. Private to this folder.
// Poisson/binomial A/B under time-varying intensities: Lindon & Malek, NeurIPS 2022; for counts without replacement the binomial bet is
// still fair, because a convex function's mean is no higher under the hypergeometric (Hoeffding 1963).
#pragma once

#include "experiments/guard/e_process.hpp"
#include "experiments/guard/guard.hpp"

namespace arashi::guard {

class ControlGroup {
 public:
  // m: the error ratio of L1's null. `log_incident`: from here on the control itself burns.
  ControlGroup(double m, Duration planned, double log_incident);
  void add(const Slice& slice);  // one with a control
  [[nodiscard]] bool seen() const { return seen_; }
  [[nodiscard]] Effect effect() const;

 private:
  Counts treated_, control_;
  bool seen_ = false;
  std::vector<double> likelihood_;  // log, per ratio of the grid
  SliceTest incident_;
  double highest_incident_ = 0, log_threshold_;
};

}  // namespace arashi::guard
