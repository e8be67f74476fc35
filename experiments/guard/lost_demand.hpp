// Requests that do not come any more are the users' loss too: a Poisson drop test against the rate before the first injection, or a
// binomial one against the control group. Only what is shown to be missing is counted, from when the drop began. Private to this folder.
#pragma once

#include "experiments/guard/guard.hpp"

namespace arashi::guard {

class LostDemand {
 public:
  // `log_threshold`: when a drop counts as shown.
  LostDemand(CountLost against, Duration planned, double log_threshold);
  void learn(const Slice& slice);  // before the first injection
  // Events that this slice shows to be missing, its own and those of the slices before it in the same drop.
  std::uint64_t add(const Slice& slice);
  [[nodiscard]] std::uint64_t lost() const { return lost_; }
  [[nodiscard]] double log_e() const;

 private:
  struct Expectation {
    double events = 0;  // at least so many without a drop
    double untouched = 0;
  };
  [[nodiscard]] Expectation expected(const Slice& slice) const;
  void bet(const Slice& slice, const Expectation& expectation);

  CountLost against_;
  double planned_, log_threshold_;
  double learned_time_ = 0, learned_events_ = 0, learned_control_ = 0;
  double unstarted_ = 1;
  std::vector<double> wealth_;  // per share of the demand that is left, log
  double deficit_ = 0;          // of the drop under way, not yet counted
  std::uint64_t lost_ = 0;
};

}  // namespace arashi::guard
