// Many replays at random start times, and what they say of the guard: how often it stops what needed no stopping. Pure.
#pragma once

#include "experiments/backtest/replay.hpp"
#include "injector/core/json_fwd.hpp"

namespace arashi::backtest {

inline constexpr double confidence = 0.95;

// Evenly random where an experiment fits into the record; the same seed draws the same. Refuses a record that is too short.
Result<std::vector<Duration>> draw_starts(const Record& record, const Shape& shape, std::size_t count, std::uint64_t seed);

struct Interval {
  double low = 0, high = 1;
};
// Clopper and Pearson (Biometrika 1934): contains the true share with at least this confidence.
Interval share_interval(std::uint64_t hits, std::uint64_t of, double level = confidence);

struct Incident {  // aborts near each other in time: one cause, met by several starts
  Duration from{}, to{};
  std::size_t starts = 0, justified = 0;
  double spent_median = 0, would_spend_most = 0;
  guard::Reason reason;  // of the first
};

struct Study {
  std::size_t starts = 0, ran = 0, aborted = 0;
  std::size_t false_aborts = 0;                // neither of what makes an abort right
  std::size_t justified = 0;                   // the burn rate was above the threshold, or the limit would have been crossed by the end
  std::size_t missed = 0;                      // the limit was crossed, and the guard did not abort
  std::map<std::string, std::size_t> refused;  // why it would not have started → how often
  std::map<std::string, std::size_t> layers;   // of the strongest reason
  // Starts nearer to each other than an experiment's length see the same events: so many stretches are told apart at most.
  std::size_t independent = 0;
  Interval false_share;                     // for that number
  double spent_most = 0;                    // by an abort
  double quiet_median = 0, quiet_most = 0;  // spent by those that ran to their end
  std::vector<Incident> incidents;          // in order of time
};

Study summarise(const Record& record, const Shape& shape, const std::vector<Outcome>& outcomes);

using arashi::to_text;  // the units' ones are not hidden by these
// For people and for machines. `outcomes`: the aborts are listed one by one.
std::string to_text(const Record& record, const guard::Config& config, const Shape& shape, const Study& study);
Json to_json(const Record& record, const guard::Config& config, const Shape& shape, const Study& study,
             const std::vector<Outcome>& outcomes);
// One start alone.
std::string to_text(const guard::Config& config, const Outcome& outcome);
Json to_json(const guard::Config& config, const Outcome& outcome);

}  // namespace arashi::backtest
