// The SLO guard: samples and time in, verdict with its reasons out. No clock, no I/O; a verdict can be replayed from its inputs.
// L0 a hard cap on the budget this experiment may spend, L1 a weighted Shiryaev-Roberts e-process on 1 s slices (P(any false abort) <=
// alpha), L2 Google's multi-window multi-burn-rate rules. Times are since the run's start.
#pragma once

#include "injector/core/json_fwd.hpp"
#include "injector/core/result.hpp"
#include "injector/core/units.hpp"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace arashi::guard {

enum class Freshness { fresh, stale, empty, error, partial };
std::string_view name_of(Freshness freshness);

// What one source saw of one SLO in one stretch of time. Slices of an SLO are handed in in order and do not overlap.
// fresh: counts to rely on. partial: true counts, but some events are missing from them. stale, empty, error: a notice without counts
// (begin = end = when it was noticed); the next fresh slice begins where the last one ended, so nothing is lost between them.
struct Slice {
  Duration begin{}, end{};  // the load generator's are 1 s
  std::uint64_t total = 0, bad = 0;
  Freshness state = Freshness::fresh;
  Duration newest{};    // time of the newest sample it rests on: what came after is unknown
  std::string problem;  // why not fresh
};

enum class OnNoData { charge, abort, hold };
std::string_view name_of(OnNoData policy);

struct SloTerms {
  std::string name;
  double objective = 0.999;                       // S; b = 1 - S
  Duration window = std::chrono::hours(24 * 30);  // W
  double window_events = 0;                       // N_W: valid events in W (measured, or rate * W)
  bool extrapolated = true;                       // N_W was not measured over a whole W
  double rate_most = 0;                           // upper bound of events per second, for charging unknown time
};

struct Config {
  std::vector<SloTerms> slos;
  double budget = 0.02;  // X: share of each SLO's budget that may be spent
  double alpha = 1e-3;   // for the whole experiment, all SLOs together
  double burn = 14.4;    // BR*: L1's null is "burn rate <= this"; lowered to what the budget allows for long runs
  OnNoData on_no_data = OnNoData::charge;
  Duration hold{};
  Duration rollback = std::chrono::seconds(1);  // reserve: decide + dispatch + revert
  Duration length{};                            // planned, injections plus recovery
};

enum class Layer { cap, e_process, burn_rate, no_data };
std::string_view name_of(Layer layer);

struct Reason {
  std::string slo;
  Layer layer{};
  double value = 0, threshold = 0;  // budget share; log e-value; burn rate; seconds of blindness
  std::string text;                 // for a person on call
};

struct Window {
  Duration length{};
  double burn_rate = 0, threshold = 0;
};

struct SloState {
  std::string name;
  std::uint64_t total = 0, bad = 0;             // since the first injection
  double budget_spent = 0;                      // share of the whole budget, bad events seen
  double budget_charged = 0;                    // the same plus unknown time and rollback reserve: what L0 compares with `budget`
  double burn_rate = 0;                         // last 10 s
  std::vector<Window> windows;                  // L2's
  double log_e = 0, log_threshold = 0;          // L1
  double log_held = 0, log_held_threshold = 0;  // mirror test: evidence that the SLO held
  Freshness state = Freshness::empty;
  Duration newest{};
};

struct Verdict {
  Duration at{};
  bool abort = false;
  bool hold = false;            // start nothing further until data comes; before the first injection: an SLO has no fresh event yet
  std::vector<Reason> reasons;  // why abort, or why hold; the strongest first
  std::vector<SloState> slos;
};

class Guard {
 public:
  // Refuses what could never work: objective outside (0,1), a burn threshold >= 1/b, an allowance under one bad event.
  static Result<Guard> make(Config config);
  Guard(Guard&&) noexcept;
  Guard& operator=(Guard&&) noexcept;
  ~Guard();

  // Before this the slices only fill L2's windows and the baseline; from here on they are charged to the experiment.
  // Called again at each further injection: the quick test of its first ten seconds starts anew.
  void injected(Duration at);
  // The last fault is gone: what comes later still counts against the budget, but is no evidence that the SLO held under the fault.
  void reverted(Duration at);
  void observe(std::size_t slo, const Slice& slice);
  // The caller asks at least once a second, and at once after observe.
  Verdict evaluate(Duration now) const;

 private:
  struct State;
  explicit Guard(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

// One input of the guard as stored in guard.jsonl of the run folder; replaying them all gives the same verdicts.
struct Input {
  Duration now{};
  bool injected = false;           // injected(now)
  bool reverted = false;           // reverted(now)
  std::optional<std::size_t> slo;  // observe(*slo, slice); else, with none of these, evaluate(now)
  Slice slice;
};
Json to_json(const Config& config);
Json to_json(const Input& input);
Json to_json(const Verdict& verdict);
Result<Config> config_from(const Json& json);
Result<Input> input_from(const Json& json);
Result<Verdict> verdict_from(const Json& json);
// Every verdict, one per evaluate input.
Result<std::vector<Verdict>> replay(const Config& config, const std::vector<Input>& inputs);

}  // namespace arashi::guard
