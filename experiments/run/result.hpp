// What a run found out: result.json, and all that report/ draws from. `arashi schema result` documents it.
#pragma once

#include "experiments/guard/guard.hpp"
#include "experiments/plan/plan.hpp"
#include "experiments/run/load_summary.hpp"
#include "experiments/spec/spec.hpp"

#include <optional>
#include <string>
#include <vector>

namespace arashi::run {

enum class State { preparing, checking, steady, injecting, observing, reverting, recovering, done };
enum class Outcome { held, refuted, inconclusive, refused, interrupted, left_behind };
std::string_view name_of(State state);
std::string_view name_of(Outcome outcome);
int exit_code(Outcome outcome);  // 0 held, 1 refuted, 3 refused, 4 interrupted, 5 inconclusive, 6 left_behind  (2: bad usage or spec)

struct FaultResult {
  std::string id, fault, target, victim, agent, mechanism;
  std::optional<Duration> asked_at, active_at, reverted_at;  // since the run's start
  Step step = Step::intended;
  std::string problem;
  Evidence evidence;  // last read before revert
};

struct CheckResult {
  std::string name, when;
  bool passed = false;
  Duration at{}, took{};
  std::string detail;
};

struct Event {
  Duration at{};
  std::string what, detail;
};  // also events.jsonl

// The times a team asks for after an abort; since the run's start.
struct Times {
  std::optional<Duration> first_injection, first_bad, decision, last_revert, recovered;
};

struct RunResult {
  std::string run, experiment, hypothesis, started;  // run id; RFC 3339
  Outcome outcome = Outcome::inconclusive;
  std::vector<std::string> reasons;  // in words, the decisive one first
  Times times;
  std::vector<FaultResult> faults;
  std::vector<CheckResult> checks;
  std::vector<guard::SloState> slos;    // at the end
  std::optional<guard::Verdict> abort;  // the verdict that ended it
  std::vector<load::Summary> loads;
  std::vector<guard::Verdict> verdicts;  // one a second: charts of budget and burn rate
  std::vector<Event> events;
  plan::Plan plan;
  std::vector<std::pair<State, Duration>> states;  // when each was entered
  std::optional<Error> not_prepared;               // why it could not even be planned; not in result.json
};

// What result.json says of itself; a reader refuses another.
inline constexpr std::string_view result_format = "arashi.dev/result/v1";

// result.json: times in seconds since the run's start; `arashi schema result` documents it, report/ draws from it.
Json to_json(const RunResult& result);

}  // namespace arashi::run
