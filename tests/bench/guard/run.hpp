// One simulated experiment with the real guard, and a cell of many.
#pragma once

#include "tests/bench/guard/reference.hpp"
#include "tests/bench/guard/world.hpp"

namespace arashi::sim {

struct Outcome {
  std::optional<double> abort;  // seconds after the injection
  guard::Layer layer{};
  double spent = 0;          // share of the budget, in truth, when the rollback has ended
  bool would_cross = false;  // without a guard the cap would have been crossed
  bool crossed = false;      // it was, by more than what can fail between two looks
  bool held = false;         // the mirror test says so
  References others;
};
Outcome run(const Cell& cell, std::uint64_t seed, bool with_others);

struct Row {
  Cell cell;
  std::string refused;  // the guard would not start: why
  int runs = 0, aborted = 0, missed = 0, crossed = 0, held = 0;
  std::vector<double> delays, spent;                               // sorted
  std::array<int, 4> layers{};                                     // by which layer
  std::array<std::vector<double>, reference_names.size()> others;  // sorted delays of those that spoke
};
Row measure(const Cell& cell, std::uint64_t seed);

double quantile(const std::vector<double>& sorted, double q);
// Clopper-Pearson: with 99 % the chance is no higher than this, after `hits` of `runs`.
double upper_bound(int hits, int runs);

// The log e-values of one run at each look beside what the guard was told, for a second implementation: JSON Lines.
std::string recorded(const Cell& cell, std::uint64_t seed);

}  // namespace arashi::sim
