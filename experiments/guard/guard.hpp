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

// fresh: counts to rely on. partial: true counts, but some events are missing from them. late_born: the same, because a counter is seen for
// the first time and what it counted before that is not known to be of this stretch. The others carry no counts: stale (the newest
// sample is old), empty (no series), not_a_number, error (no answer), silent (nothing came at all; the guard finds that out itself).
enum class Freshness { fresh, stale, empty, error, partial, late_born, not_a_number, silent };
std::string_view name_of(Freshness freshness);
bool has_counts(Freshness freshness);

struct Counts {
  std::uint64_t total = 0, bad = 0;
};

// One of those that were missing from partial slices tells of that time after all: its events since `begin` are in the slice that says so.
struct Returned {
  Duration begin{}, end{};  // it was missing
  double share = 0;         // of the slices' `missing`, on the average
};

// What one source saw of one SLO in one stretch of time. Slices of a source are handed in in order and do not overlap.
// One without counts is a notice (begin = end = when it was noticed); the next with counts begins where the last one with counts
// ended, so nothing is lost between them.
struct Slice {
  Duration begin{}, end{};  // the load generator's are 1 s
  std::uint64_t total = 0, bad = 0;
  Freshness state = Freshness::fresh;
  Duration newest{};              // time of the newest sample it rests on: what came after is unknown
  std::string problem;            // why not fresh, or why bad
  std::optional<Counts> control;  // of total and bad, those at replicas that no fault touches
  std::optional<double> missing;  // partial: the share of the events that is not among them, where that is known
  std::optional<double> unknown;  // late_born: so many more may be bad, at most, where that is known
  std::uint64_t ours = 0;         // partial: so many events are missing because the runner itself did not ask for them
  std::vector<Returned> returned;
};

enum class OnNoData { charge, abort, hold };
std::string_view name_of(OnNoData policy);

// What the budget is counted in, in OpenSLO's words: bad events; time slices whose share of good events misses the slice's own target; or
// the sum of every slice's share of bad events.
enum class Method { occurrences, timeslices, ratio_timeslices };
std::string_view name_of(Method method);

// What a time slice without a single event is.
enum class EmptySlice { good, bad, skip };
std::string_view name_of(EmptySlice empty);

// Whether missing events are bad ones: against the rate before the first injection, or against what the control group gets.
enum class CountLost { no, before, control };
std::string_view name_of(CountLost count);

// One stream of events by which an SLO is measured. Several of an SLO are never added up: the worst authoritative one is charged, and
// their e-values are averaged.
struct SourceTerms {
  std::string name;
  double window_events = 0;                     // N_W: valid events in the SLO's window (measured, or rate * W)
  double window_bad = 0;                        // bad ones of them (units of the SLO's method): spent before we began
  bool extrapolated = true;                     // N_W was not measured over a whole W
  double rate_most = 0;                         // upper bound of events per second, for charging unknown time
  bool by_chance = false;                       // events come by chance, so in a moment more than the highest rate tells may come
  Duration lag{};                               // so old its newest data usually are, at most
  Duration patience = std::chrono::seconds(5);  // so old its newest data may be, at most, while all is well
  bool authoritative = true;                    // the cap and the burn-rate rules go by it
};

struct SloTerms {
  std::string name;
  double objective = 0.999;                       // S; b = 1 - S
  Duration window = std::chrono::hours(24 * 30);  // W
  std::vector<SourceTerms> sources;               // at least one
  Method method = Method::occurrences;
  Duration slice = std::chrono::minutes(1);  // of the two methods with time slices
  double slice_target = 0.95;                // timeslices: the share of good events that makes a slice good
  EmptySlice empty = EmptySlice::good;
  CountLost count_lost = CountLost::no;
  double promised = 0;  // share of the budget that other experiments under way may spend
  double bearable = 1;  // share of the budget that their SLOs over the same counts can bear: their budgets may be smaller
  // A window that follows the calendar, in words: "this calendar month, since 2026-11-01 Europe/Berlin", and when the next one begins.
  // Empty: it rolls. What is spent after its end is spent of it all the same, so that no new budget appears while an experiment runs.
  std::string period, next_period;
};

struct Config {
  std::vector<SloTerms> slos;
  double budget = 0.02;  // X: share of each SLO's budget that may be spent
  double reserve = 0;    // share of each SLO's budget that must be left in the end
  double alpha = 1e-3;   // for the whole experiment, all SLOs together
  double burn = 14.4;    // BR*: L1's null is "burn rate <= this"; lowered to what the budget allows for long runs
  OnNoData on_no_data = OnNoData::charge;
  Duration hold{};
  Duration grace{};                             // a total outage of this length is expected now and then and must not abort
  Duration rollback = std::chrono::seconds(1);  // reserve: decide + dispatch + revert
  Duration length{};                            // planned, injections plus recovery
};

// What this experiment may spend of a source's budget: X of it, what is left without the reserve and without what was promised to
// others, or what the budgets of others can bear, whichever is least. Share of the whole budget; nothing left is 0 or less.
double allowance(const SloTerms& slo, const SourceTerms& source, const Config& config);

enum class Layer { cap, e_process, burn_rate, no_data };
std::string_view name_of(Layer layer);

struct Reason {
  std::string slo;
  Layer layer{};
  double value = 0, threshold = 0;  // budget share; log e-value; burn rate; seconds of blindness
  std::string text;                 // for a person on call
  bool unknown = false;             // it rests on what is not known, not on bad events that were seen
};

struct Window {
  Duration length{};
  double burn_rate = 0, threshold = 0;
};

// Whose fault it is, by the control group: not known, the injected fault's, an incident that hits the untouched replicas too, or both.
enum class Cause { unknown, fault, incident, both };
std::string_view name_of(Cause cause);

// The faulted replicas beside the untouched ones since the first injection.
struct Effect {
  Counts treated, control;
  double ratio = 1;               // so many times as likely is a bad event where the fault is; the most plausible value
  double lowest = 0;              // 95 % confidence sequence: right at every moment at once
  std::optional<double> highest;  // none: nothing bounds it from above
  double log_e = 0;               // evidence of any harm by the fault
  double log_incident = 0;        // evidence that the untouched replicas burn too fast as well
  Cause cause = Cause::unknown;
};

struct SourceState {
  std::string name;
  bool authoritative = true;
  std::uint64_t total = 0, bad = 0;
  double budget_spent = 0, budget_charged = 0, burn_rate = 0;
  double log_e = 0;
  Freshness state = Freshness::empty;
  Duration newest{};
  std::string problem;
};

// Of the source that is worst off, where there are several; log_e is of them all.
struct SloState {
  std::string name;
  std::uint64_t total = 0, bad = 0;             // since the first injection
  std::uint64_t lost = 0;                       // of bad: events that should have come and did not
  double budget_spent = 0;                      // share of the whole budget, bad events seen
  double budget_charged = 0;                    // the same plus unknown time and rollback reserve: what L0 compares with budget_limit
  double budget_limit = 0;                      // share of the whole budget that this experiment may spend
  bool extrapolated = true;                     // the budget was not measured over a whole window
  std::string period;                           // the window, where it follows the calendar
  double burn_rate = 0;                         // last 10 s
  std::optional<Duration> lasts;                // at that rate what it may spend is gone after so long; none: it is not in danger
  std::vector<Window> windows;                  // L2's
  double log_e = 0, log_threshold = 0;          // L1
  double log_held = 0, log_held_threshold = 0;  // mirror test: evidence that the SLO held
  std::uint64_t held_needs = 0;                 // so many events without a bad one are evidence enough
  Freshness state = Freshness::empty;
  Duration newest{};
  std::vector<SourceState> sources;
  std::optional<Effect> effect;  // with a control group
};

struct Verdict {
  Duration at{};
  bool abort = false;
  bool hold = false;            // start nothing further until data comes; before the first injection: an SLO has no fresh event yet
  std::vector<Reason> reasons;  // why abort, or why hold; the strongest first
  std::vector<SloState> slos;
};

// How much of a budget that is counted in time slices a past has spent, in slices. Stretches in order, those with counts only.
class PastSlices {
 public:
  PastSlices(const SloTerms& slo, const SourceTerms& source);
  PastSlices(PastSlices&&) noexcept;
  PastSlices& operator=(PastSlices&&) noexcept;
  ~PastSlices();
  void add(const Slice& slice);
  [[nodiscard]] double bad() const { return bad_; }

 private:
  std::unique_ptr<class TimeSlices> slices_;
  double bad_ = 0;
};

class Guard {
 public:
  // Refuses what could never work: objective outside (0,1), a burn threshold >= 1/b, an allowance under one bad event, nothing left of
  // the budget.
  static Result<Guard> make(Config config);
  Guard(Guard&&) noexcept;
  Guard& operator=(Guard&&) noexcept;
  ~Guard();

  // Before this the slices only fill L2's windows and the baseline; from here on they are charged to the experiment.
  // Called again at each further injection: the quick test of its first ten seconds starts anew.
  void injected(Duration at);
  // The last fault is gone: what comes later still counts against the budget, but is no evidence that the SLO held under the fault.
  void reverted(Duration at);
  void observe(std::size_t slo, const Slice& slice, std::size_t source = 0);
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
  std::optional<std::size_t> slo;  // observe(*slo, slice, source); else, with none of these, evaluate(now)
  Slice slice;
  std::size_t source = 0;
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
