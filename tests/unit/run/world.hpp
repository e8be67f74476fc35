// A fake clock and a fake world around a Runner: it answers every command after a tick as agents, checks and load would, unless told
// otherwise. Nothing sleeps.
#pragma once

#include "experiments/run/runner.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <deque>
#include <set>
#include <string>
#include <vector>

namespace arashi::run {

using std::chrono::milliseconds;
using std::chrono::seconds;

inline plan::Planned planned(const std::string& id, Duration at, Duration length, const std::string& agent = "local") {
  plan::Planned one{.id = id, .step = 0, .agent = agent, .fault = "network.impair"};
  one.victim.label = "wallet-" + id;
  one.at = at;
  one.length = length;
  one.how.claims = {"claim-" + id};
  one.how.mechanism = "bpf";
  return one;
}

inline spec::Experiment an_experiment() {
  spec::Experiment experiment;
  experiment.name = "checkout";
  experiment.slos = {{.name = "pay", .objective = 0.999, .measures = {{.load = "pay"}}}};
  experiment.loads = {{.name = "pay", .rate = {200}}};
  experiment.steady_for = seconds(3);
  experiment.recovery_within = seconds(10);
  experiment.timeline = {{.at = {}, .length = seconds(10), .fault = "network.impair", .on = "wallets"}};
  return experiment;
}

inline spec::Check a_check(const std::string& name, bool before, bool after, Duration during = {}) {
  return {.name = name, .command = {"true"}, .before = before, .after = after, .during = during};
}

inline double seconds_between(Duration from, Duration to) { return arashi::seconds(to - from); }

struct World {
  // ---- how the world behaves
  std::uint64_t good = 200, bad = 0;   // of a second's slice
  bool prepares = true;                // the agents and the SLOs' sources answer at once
  bool data = true;                    // slices come
  bool bites = true, in_place = true;  // what the evidence says
  bool answers_injections = true, answers_reverts = true, leases = true;
  std::string inject_problem;  // non-empty: injections fail
  Blame inject_blame = Blame::system;
  Step revert_step = Step::reverted;
  std::set<std::string> failing_checks;  // "name/when"
  std::set<std::string> dead;            // agents that answer nothing
  Step status_step = Step::active;
  Code status_code = Code::none;
  std::string words = "why";           // of every problem that an agent tells
  bool forgets = false;                // status lists nothing
  std::uint64_t bad_when_faulted = 0;  // bad events a second while a fault stands

  spec::Experiment experiment;
  plan::Plan plan;
  guard::Config config;  // without SLOs: as the experiment's, with 200 events a second
  std::unique_ptr<Runner> runner;
  Duration now{};
  std::vector<Command> sent;  // everything
  std::vector<std::pair<Duration, Command>> log;
  std::deque<Happening> answers;   // given one step later
  std::set<std::string> standing;  // ids the agents hold
  Duration slice_begin{};

  World(spec::Experiment experiment_, std::vector<plan::Planned> injections) : experiment(std::move(experiment_)) {
    plan.injections = std::move(injections);
    config.length = seconds(60);
  }

  void begin() {
    if (config.slos.empty())
      for (const auto& slo : experiment.slos)
        config.slos.push_back(
            {.name = slo.name, .objective = slo.objective, .sources = {{.window_events = 200.0 * 86400 * 30, .rate_most = 200}}});
    runner = std::make_unique<Runner>(experiment, "checkout-k3v9x0qa");
    if (prepares) {
      give(Planned{plan});
      give(PastRead{config});
    }
  }

  std::string agent_of(const std::string& id) const {
    for (const auto& one : plan.injections)
      if (one.id == id) return one.agent;
    return "";
  }
  std::set<std::string> agents() const {
    std::set<std::string> names;
    for (const auto& one : plan.injections) names.insert(one.agent);
    return names;
  }

  // One event in, its commands noted and answered later.
  std::vector<Command> give(const Happening& event) {
    if (!runner) begin();
    auto commands = runner->step(event, now);
    for (const auto& command : commands) {
      log.emplace_back(now, command);
      sent.push_back(command);
      answer(command);
    }
    return commands;
  }

  void answer(const Command& command) {
    if (const auto* check = std::get_if<RunCheck>(&command)) {
      const bool fails = failing_checks.contains(check->name + "/" + check->when);
      answers.emplace_back(
          CheckDone{{.name = check->name, .when = check->when, .passed = !fails, .at = now, .detail = fails ? "exit 1" : "exit 0"}});
    }
    if (std::holds_alternative<OpenLeases>(command) && leases)
      for (const auto& agent : agents()) answers.emplace_back(LeaseOpened{agent});
    if (const auto* inject = std::get_if<Inject>(&command)) answer_inject(*inject);
    if (const auto* one = std::get_if<RevertOne>(&command)) answer_revert(one->agent, one->id);
    if (std::holds_alternative<RevertAll>(command))
      for (const auto& agent : agents()) answer_revert(agent, "");
    if (std::holds_alternative<AskStatus>(command))
      for (const auto& agent : agents())
        if (!dead.contains(agent)) answers.emplace_back(status(agent));
    if (std::holds_alternative<StopLoad>(command)) answers.emplace_back(LoadSeen{.last = true});
  }
  void answer_inject(const Inject& inject) {
    if (!answers_injections || dead.contains(inject.agent)) return;
    const bool ok = inject_problem.empty();
    if (ok) standing.insert(inject.request.id);
    answers.emplace_back(InjectDone{
        .id = inject.request.id, .ok = ok, .problem = inject_problem, .blame = inject_blame, .evidence = {.in_place = in_place}});
  }
  void answer_revert(const std::string& agent, const std::string& id) {
    if (!answers_reverts) return;
    if (dead.contains(agent)) {
      answers.emplace_back(RevertDone{.agent = agent, .id = id, .problem = words});
      return;
    }
    RevertDone done{.agent = agent, .id = id, .ok = true};
    const auto held = standing;
    for (const auto& one : held) {
      if (agent_of(one) != agent || (!id.empty() && id != one)) continue;
      done.outcomes.push_back(
          {.id = one, .fault = "network.impair", .step = revert_step, .problem = revert_step == Step::reverted ? "" : words});
      if (revert_step != Step::stuck) standing.erase(one);
    }
    answers.emplace_back(done);
  }
  StatusSeen status(const std::string& agent) const {
    StatusSeen seen{.agent = agent};
    for (const auto& one : standing)
      if (!forgets && agent_of(one) == agent) {
        protocol::InjectionStatus entry{
            .id = one, .step = status_step, .code = status_code, .problem = status_step == Step::active ? "" : words};
        entry.evidence = {.in_place = in_place, .bit = bites, .seen = 1000, .affected = bites ? 10U : 0U};
        seen.injections.push_back(entry);
      }
    return seen;
  }

  // 100 ms: a tick, the answers that are due, and each second a slice.
  void tick() {
    now += milliseconds(100);
    const auto due = std::exchange(answers, {});
    for (const auto& answer : due) give(answer);
    const bool faulted = !standing.empty();
    if (now - slice_begin >= seconds(1)) {
      const std::uint64_t wrong = bad + (faulted ? bad_when_faulted : 0);
      for (std::size_t slo = 0; data && slo < experiment.slos.size(); ++slo)
        give(SliceSeen{slo, {.begin = slice_begin, .end = now, .total = good + bad, .bad = std::min(wrong, good + bad), .newest = now}});
      slice_begin = now;
    }
    give(Tick{});
  }
  // Runs until the state is reached; false when it is not within the time.
  bool until(State state, Duration within = seconds(120)) {
    if (!runner) give(Tick{});
    for (const Duration end = now + within; now < end && runner->state() != state;) tick();
    return runner->state() == state;
  }
  void run_for(Duration time) {
    for (const Duration end = now + time; now < end;) tick();
  }
  const RunResult& result() const { return runner->result(); }
  const RunResult& finish() {
    REQUIRE(until(State::done, seconds(300)));
    return result();
  }

  template <class T>
  std::size_t count() const {
    return static_cast<std::size_t>(
        std::count_if(sent.begin(), sent.end(), [](const Command& one) { return std::holds_alternative<T>(one); }));
  }
  template <class T>
  Duration first() const {
    for (const auto& [at, command] : log)
      if (std::holds_alternative<T>(command)) return at;
    return Duration{-1};
  }
};

inline bool says(const RunResult& result, const std::string& words) {
  return std::ranges::any_of(result.reasons, [&](const std::string& reason) { return reason.find(words) != std::string::npos; });
}

template <class T>
bool is_first(const std::vector<Command>& commands) {
  return !commands.empty() && std::holds_alternative<T>(commands.front());
}

inline World one_fault() { return {an_experiment(), {planned("aaaaaaaa", {}, seconds(10))}}; }

}  // namespace arashi::run
