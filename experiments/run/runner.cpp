#include "experiments/run/runner.hpp"

#include "experiments/run/inside.hpp"

#include <algorithm>

namespace arashi::run {

using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr Duration patience_for_leases = seconds(5);
constexpr Duration patience_for_data = seconds(15);  // besides what the sources' own period needs
constexpr Duration patience_for_load = seconds(3);
constexpr Duration late_slices = seconds(5);  // a slice closes when its last request is too old

Duration slowest_source(const spec::Experiment& experiment) {
  Duration most{};
  for (const auto& slo : experiment.slos)
    for (const auto& measure : slo.measures) most = std::max(most, spec::usual_lag(measure.source));
  return most;
}

std::vector<std::string> agents_of(const std::map<std::string, Node>& nodes) {
  std::vector<std::string> names;
  for (const auto& [name, node] : nodes) names.push_back(name);
  return names;
}

}  // namespace

Runner::Inside::Inside(spec::Experiment experiment_, std::string run_id) : experiment(std::move(experiment_)) {
  result.run = std::move(run_id);
  result.experiment = experiment.name;
  result.hypothesis = experiment.hypothesis;
  for (std::size_t i = 0; i < experiment.slos.size(); ++i) {
    const spec::Slo& slo = experiment.slos[i];
    const auto names = spec::names_of_measures(slo);
    for (std::size_t j = 0; j < names.size(); ++j)
      if (slo.measures[j].authoritative)
        watched.push_back({i, j, slo.name + (names.size() > 1 ? " (" + names[j] + ")" : ""), Streak(slo.objective), std::nullopt});
  }
  first_bad.resize(experiment.slos.size());
}

Runner::Runner(spec::Experiment experiment, std::string run_id)
    : inside_(std::make_unique<Inside>(std::move(experiment), std::move(run_id))) {}
Runner::~Runner() = default;
State Runner::state() const { return inside_->state; }
const RunResult& Runner::result() const { return inside_->result; }
const std::optional<guard::Config>& Runner::config() const { return inside_->config; }
const std::vector<guard::Input>& Runner::guard_inputs() const { return inside_->guard_inputs; }
void Runner::forget_inputs() { inside_->guard_inputs.clear(); }

std::vector<Command> Runner::step(const Happening& event, Duration now) {
  auto& in = *inside_;
  if (in.result.states.empty()) in.enter(State::preparing, now);
  if (in.state == State::done) return {};
  in.notice_standstill(now);
  std::visit([&](const auto& happened) { in.take(happened, now); }, event);
  in.advance(now);
  return std::exchange(in.commands, {});
}

// What is measured right after cannot be told from what the service did: verdict.cpp.
void Runner::Inside::notice_standstill(Duration now) {
  const Duration since = std::exchange(stepped, now).value_or(now);
  if (now - since < standstill) return;
  note(now, "runner stood still", "for " + to_text(std::chrono::duration_cast<milliseconds>(now - since)));
  if (result.times.first_injection && stood_still.size() < 1000) stood_still.push_back({since, now});
}

void Runner::Inside::note(Duration now, const std::string& what, const std::string& detail) {
  result.events.push_back({now, what, detail});
}

void Runner::Inside::enter(State next, Duration now) {
  state = next;
  entered = now;
  result.states.emplace_back(next, now);
  note(now, "state", std::string(name_of(next)));
}

void Runner::Inside::conclude(Outcome why, const std::string& reason) {
  const auto rank = [](Outcome outcome) {
    constexpr std::array order{Outcome::held,        Outcome::inconclusive, Outcome::refused,
                               Outcome::interrupted, Outcome::refuted,      Outcome::left_behind};
    return std::find(order.begin(), order.end(), outcome) - order.begin();
  };
  const bool graver = !decided || rank(why) > rank(result.outcome);
  if (graver) result.outcome = why;
  decided = true;
  result.reasons.insert(graver ? result.reasons.begin() : result.reasons.end(), reason);
}

// ---- time

void Runner::Inside::advance(Duration now) {
  expire_checks(now);
  switch (state) {
    case State::preparing:
      return advance_preparing(now);
    case State::checking:
      return advance_checking(now);
    case State::steady:
      return advance_steady(now);
    case State::injecting:
    case State::observing:
      return advance_timeline(now);
    case State::reverting:
      return advance_reverting(now);
    case State::recovering:
      return advance_recovering(now);
    case State::done:
      return;
  }
}

void Runner::Inside::advance_checking(Duration now) {
  if (!begun) {
    begun = true;
    for (const auto& refusal : result.plan.refusals) conclude(Outcome::refused, refusal);
    if (decided) return wind_up(now);
    run_checks("before", now);
  }
  if (closing != Closing::no) return advance_closing(now);
  if (decided && awaited.empty()) return wind_up(now);
  if (!awaited.empty()) return;
  enter(State::steady, now);
  leases_asked = true;
  load_started = !experiment.loads.empty();
  if (load_started) send(StartLoad{});
  send(OpenLeases{agents_of(nodes)});
  advance_steady(now);
}

void Runner::Inside::advance_steady(Duration now) {
  if (closing != Closing::no) return advance_closing(now);
  const auto refuse = [&](const std::string& reason) {
    conclude(Outcome::refused, reason);
    wind_up(now);
  };
  const auto silent = std::find_if(nodes.begin(), nodes.end(), [](const auto& node) { return !node.second.leased; });
  if (silent != nodes.end() && now - entered >= patience_for_leases)
    return refuse("agent " + silent->first + " gave no lease within " + to_text(patience_for_leases));
  bool steady = silent == nodes.end();
  for (const auto& one : watched) {
    const auto& streak = one.streak;
    const bool enough = streak.covered() >= experiment.steady_for && streak.total() > 0;
    if (enough && !streak.within()) return refuse("no steady state: " + one.name + ": " + streak.measured());
    steady = steady && enough;
    const Duration patience = experiment.steady_for + patience_for_data + 3 * slowest_source(experiment);
    if (!enough && now - entered >= patience)
      return refuse("no steady state within " + to_text(patience) + ": " + one.name + ": " + streak.measured());
  }
  if (steady) start_if_guarded(now);
}

// A source may have gone silent since it was steady, or an alert may burn already: the guard has the last word.
void Runner::Inside::start_if_guarded(Duration now) {
  const auto verdict = guard->evaluate(now);
  guard_inputs.push_back({.now = now});
  if (!verdict.abort && !verdict.hold) return start_injecting(now);
  const Duration patience = experiment.steady_for + patience_for_data + 3 * slowest_source(experiment);
  if (!verdict.abort && now - entered < patience) return;
  conclude(Outcome::refused, "no steady state: " + first_reason(verdict));
  wind_up(now);
}

void Runner::Inside::start_injecting(Duration now) {
  enter(State::injecting, now);
  if (!course.empty()) result.times.first_injection = now;
  evaluated = now;
  status_asked = now;
  advance_timeline(now);
}

void Runner::Inside::advance_timeline(Duration now) {
  if (now - evaluated >= seconds(1)) evaluate(now);  // first: an abort must find nothing before it
  if (!timeline_runs()) return;
  give_up_unanswered(now);
  if (!timeline_runs()) return;
  retry_reverts(now);
  if (!timeline_runs()) return;
  end_due(now);
  if (!hold) start_due(now);
  run_due_checks(now);
  if (now - status_asked >= seconds(1)) {
    status_asked = now;
    send(AskStatus{});
  }
  const auto is = [&](Phase phase) { return [phase](const Course& one) { return one.phase == phase; }; };
  const bool all_started = std::none_of(course.begin(), course.end(), is(Phase::waiting));
  if (state == State::injecting && all_started) enter(State::observing, now);
  if (std::all_of(course.begin(), course.end(), is(Phase::over))) start_reverting(now);
}

void Runner::Inside::stop(Outcome why, const std::string& reason, Duration now) {
  commands.insert(commands.begin(), RevertAll{});  // nothing goes before it
  conclude(why, reason);
  note(now, "stop", reason);
  start_reverting(now);
}

void Runner::Inside::wind_up(Duration now) {
  if (leases_asked && (state == State::steady || timeline_runs())) return start_reverting(now);
  close(now);
}

void Runner::Inside::advance_recovering(Duration now) {
  if (closing != Closing::no) return advance_closing(now);
  if (now - evaluated >= seconds(1)) evaluate(now);
  const Duration limit = *result.times.last_revert + experiment.recovery_within;
  Duration latest = *result.times.last_revert;
  bool all = true;
  for (const auto& one : watched) {
    all = all && one.recovered.has_value();
    latest = std::max(latest, one.recovered.value_or(latest));
  }
  if (all) {
    result.times.recovered = latest;
    note(now, "recovered",
         to_text(std::chrono::duration_cast<milliseconds>(latest - *result.times.last_revert)) + " after the last revert");
    if (latest > limit) conclude(Outcome::refuted, "it recovered later than within " + to_text(experiment.recovery_within));
    return close(now);
  }
  if (now < limit + recovered_after + late_slices + 2 * slowest_source(experiment)) return;
  for (const auto& one : watched)
    if (!one.recovered && unrecovered.insert(one.slo).second)
      conclude(Outcome::refuted, one.name + " did not recover within " + to_text(experiment.recovery_within) +
                                     " of the last revert: " + one.streak.measured_in_all() + " since then");
  close(now);
}

// ---- winding up

void Runner::Inside::close(Duration now) {
  closing = Closing::load;
  closing_since = now;
  if (load_started) send(StopLoad{});
  load_settled = !load_started;
  advance_closing(now);
}

void Runner::Inside::advance_closing(Duration now) {
  if (closing == Closing::load && (load_settled || now - closing_since >= patience_for_load)) {
    closing = Closing::checks;
    awaited.clear();  // what a stopped timeline no longer waits for
    const bool broke_something = result.times.first_injection.has_value();
    if (broke_something && !(decided && result.outcome == Outcome::interrupted)) run_checks("after", now);
  }
  if (closing == Closing::checks && awaited.empty()) finish(now);
}

void Runner::Inside::finish(Duration now) {
  judge();
  enter(State::done, now);
  note(now, "verdict", std::string(name_of(result.outcome)) + (result.reasons.empty() ? "" : ": " + result.reasons[0]));
  send(Finish{});
}

}  // namespace arashi::run
