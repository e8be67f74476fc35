// How long an SLO has held without a break: for the steady state before, and the recovery after.
#pragma once

#include "experiments/guard/guard.hpp"

#include <string>

namespace arashi::run {

// Whether `bad` of `total` is no more than the objective allows, or so little more that chance explains it: the Chernoff bound of the
// binomial tail, P(X >= bad) <= exp(-total * KL(bad/total || 1-objective)), is at least 1 %. Nothing seen is within.
bool within_objective(std::uint64_t total, std::uint64_t bad, double objective);

class Streak {
 public:
  explicit Streak(double objective) : objective_(objective) {}
  // A slice that is not fresh breaks the streak; errors only count.
  void extend(const guard::Slice& slice);
  void restart();
  void forget();  // also what it was before it last started again

  [[nodiscard]] Duration begin() const { return begin_; }
  [[nodiscard]] Duration covered() const { return end_ - begin_; }
  [[nodiscard]] std::uint64_t total() const { return total_; }
  [[nodiscard]] bool within() const { return within_objective(total_, bad_, objective_); }
  [[nodiscard]] double objective() const { return objective_; }
  [[nodiscard]] std::string measured() const;         // "3 of 200 bad (1.5%), the objective allows 0.1%", or why there is no data
  [[nodiscard]] std::string measured_in_all() const;  // the same since forget(): a streak that has just started again tells nothing

 private:
  [[nodiscard]] std::string counted(std::uint64_t total, std::uint64_t bad) const;

  double objective_;
  Duration begin_{}, end_{};
  std::uint64_t total_ = 0, bad_ = 0;
  std::uint64_t earlier_total_ = 0, earlier_bad_ = 0;  // of the streaks before
  std::string problem_ = "no data came";
};

}  // namespace arashi::run
