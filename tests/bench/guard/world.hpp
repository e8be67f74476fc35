// The simulated world of one experiment: traffic, errors, and how a source tells of them. Seeded; no clock, no I/O.
#pragma once

#include "experiments/guard/guard.hpp"

#include <random>
#include <string>
#include <vector>

namespace arashi::sim {

enum class Shape { step, ramp, blip, periodic, late, recover5, recover30 };
enum class Dependence { iid, beta_binomial, bursts, one_replica };
enum class Baseline { steady, drifting, diurnal, bursty };
enum class Source { second, quarter, hang, scrape15, scrape60, saas };
enum class Trouble { none, gap, stale, reset, late_born, duplicate, disorder, ahead, behind, refused, not_a_number, partial };

struct Cell {
  std::string group;
  double rate = 10, objective = 0.999;
  double burn = 0;        // severity, in budgets; 0: no fault does harm; an error ratio over 1 is a total outage
  double baseline = 0.2;  // burn rate of the clean service
  Shape shape = Shape::step;
  Dependence dependence = Dependence::iid;
  double rho = 0;  // beta-binomial's correlation within a second
  Baseline wander = Baseline::steady;
  Source source = Source::second;
  Trouble trouble = Trouble::none;
  double budget = 0.02;  // X
  int length = 600;      // D, seconds
  int runs = 100;
  [[nodiscard]] double ratio() const { return std::min(1.0, burn * (1 - objective)); }
};

constexpr int before = 10;             // seconds of clean service before the injection
constexpr double actual_rollback = 1;  // seconds from the verdict to the last revert

// Events of each step from `before` seconds ahead of the injection on; the injection is at a random moment within its step.
struct Trace {
  double step = 1;           // seconds
  double injected = before;  // seconds since the trace began
  std::vector<std::uint32_t> total, bad, control_total, control_bad;
  bool control = false;
  double clean = 0;  // error ratio of the hours before
};
Trace draw(const Cell& cell, std::mt19937_64& random);

// What the guard is told and when: a slice, or with none a look.
struct Told {
  Duration now{};
  guard::Slice slice;
};
std::vector<Told> tell(const Cell& cell, const Trace& trace, std::mt19937_64& random);

guard::Config config_of(const Cell& cell);
std::string words(const Cell& cell);

}  // namespace arashi::sim
