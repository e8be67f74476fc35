// One experiment that never was: the guard sees a stretch of the record as if the faults had been injected at its start. Pure.
#pragma once

#include "experiments/backtest/record.hpp"
#include "experiments/guard/guard.hpp"

#include <optional>

namespace arashi::backtest {

struct Shape {
  Duration steady{};                 // the SLOs hold this long before
  std::vector<Duration> injections;  // from the first on, which is at 0
  Duration faults{};                 // until the last fault ends
  Duration length{};                 // that, and the recovery: the planned end
  Duration delay{};                  // a sample is known so much later than its time
};

struct SloOutcome {
  double spent = 0;        // share of the whole budget: by the abort, or by the planned end
  double would_spend = 0;  // by the planned end if nobody had stopped it
};

struct Outcome {
  Duration start{};                // of the first injection, since 1970
  std::string refused;             // it would not have started: why
  std::optional<Duration> abort;   // after the first injection
  std::vector<guard::Reason> why;  // the strongest first
  std::vector<SloOutcome> slos;
  bool cap_crossed = false;  // by the planned end, without an abort, an SLO would have used more than its limit
  // An SLO's recorded burn rate was above the guard's threshold, beyond what chance gives once in a million: in the seconds before the
  // abort, or from the first injection to the abort or to the planned end.
  bool burned = false;
  [[nodiscard]] bool justified() const { return cap_crossed || burned; }
};

// The terms that a run would find in a history like this one: events of a whole window, and the highest rate.
Result<guard::Config> with_terms(guard::Config config, const Record& record);

// `config` as with_terms made it. No sample is looked at twice, so the price is that of the stretch.
Result<Outcome> replay(const Record& record, const guard::Config& config, const Shape& shape, Duration start);

}  // namespace arashi::backtest
