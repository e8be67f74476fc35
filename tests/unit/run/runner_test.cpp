#include "tests/unit/run/world.hpp"

namespace arashi::run {

namespace {

bool says(const RunResult& result, const std::string& words) {
  for (const auto& reason : result.reasons)
    if (reason.find(words) != std::string::npos) return true;
  return false;
}

template <class T>
bool is_first(const std::vector<Command>& commands) {
  return !commands.empty() && std::holds_alternative<T>(commands.front());
}

World one_fault() { return {an_experiment(), {planned("aaaaaaaa", {}, seconds(10))}}; }

}  // namespace

TEST_CASE("a run with nothing wrong goes through all its states and held") {
  auto world = one_fault();
  const auto& result = world.finish();
  CHECK(result.outcome == Outcome::held);
  CHECK(exit_code(result.outcome) == 0);
  std::vector<State> states;
  for (const auto& [state, at] : result.states) states.push_back(state);
  CHECK(states ==
        std::vector{State::checking, State::steady, State::injecting, State::observing, State::reverting, State::recovering, State::done});
  CHECK(result.faults[0].step == "reverted");
  CHECK(result.faults[0].evidence.bit);
  CHECK(result.times.first_injection);
  CHECK(result.times.last_revert);
  CHECK(result.times.recovered);
  CHECK_FALSE(result.times.decision);
  CHECK_FALSE(result.times.first_bad);
  CHECK(world.count<Finish>() == 1);
  CHECK(world.count<RevertAll>() == 1);  // it ends the lease
  CHECK(std::holds_alternative<Finish>(world.sent.back()));
  CHECK(says(result, "1 fault bit"));
}

TEST_CASE("a fault stands for as long as asked, and its evidence is read just before the end") {
  auto world = one_fault();
  world.until(State::reverting);
  const auto& fault = world.result().faults[0];
  CHECK(seconds_between(*fault.active_at, *fault.reverted_at) >= 10);
  CHECK(seconds_between(*fault.active_at, *fault.reverted_at) <= 10.6);
  const auto request = std::get<Inject>(*std::find_if(world.sent.begin(), world.sent.end(), [](auto& c) {
                         return std::holds_alternative<Inject>(c);
                       })).request;
  CHECK(request.duration == seconds(10) + overtime);  // the agent's own net is wider
  CHECK(request.experiment == "checkout-k3v9x0qa");
}

TEST_CASE("injections start at their times") {
  World world(an_experiment(), {planned("aaaaaaaa", {}, seconds(10)), planned("bbbbbbbb", seconds(4), seconds(2)),
                                planned("cccccccc", seconds(7), seconds(1))});
  const auto& result = world.finish();
  const auto start = *result.times.first_injection;
  CHECK(*result.faults[0].asked_at == start);
  CHECK(seconds_between(start, *result.faults[1].asked_at) == doctest::Approx(4).epsilon(0.05));
  CHECK(seconds_between(start, *result.faults[2].asked_at) == doctest::Approx(7).epsilon(0.05));
  CHECK(result.outcome == Outcome::held);
}

TEST_CASE("two injections one after the other on one claim: the second waits until the first is reverted") {
  auto first = planned("aaaaaaaa", {}, seconds(5));
  auto second = planned("bbbbbbbb", seconds(5), seconds(5));
  second.how.claims = first.how.claims;
  World world(an_experiment(), {first, second});
  const auto& result = world.finish();
  CHECK(*result.faults[1].asked_at >= *result.faults[0].reverted_at);
  CHECK(result.outcome == Outcome::held);
}

TEST_CASE("a plan that was refused starts nothing") {
  auto world = one_fault();
  world.plan.refusals = {"3 targets are more than limits.targets 2"};
  const auto& result = world.finish();
  CHECK(result.outcome == Outcome::refused);
  CHECK(says(result, "limits.targets"));
  CHECK(world.count<Inject>() + world.count<StartLoad>() + world.count<OpenLeases>() == 0);
}

TEST_CASE("a failed check before refuses the run") {
  auto experiment = an_experiment();
  experiment.checks = {a_check("money", true, true)};
  World world(experiment, {planned("aaaaaaaa", {}, seconds(10))});
  world.failing_checks = {"money/before"};
  const auto& result = world.finish();
  CHECK(result.outcome == Outcome::refused);
  CHECK(exit_code(result.outcome) == 3);
  CHECK(world.count<Inject>() == 0);
  CHECK(world.count<RunCheck>() == 1);
  CHECK(says(result, "check 'money' failed before"));
}

TEST_CASE("checks run before anything else and after the recovery, with the load off") {
  auto experiment = an_experiment();
  experiment.checks = {a_check("money", true, true)};
  World world(experiment, {planned("aaaaaaaa", {}, seconds(10))});
  const auto& result = world.finish();
  CHECK(result.outcome == Outcome::held);
  REQUIRE(result.checks.size() == 2);
  CHECK(world.first<RunCheck>() < world.first<StartLoad>());
  CHECK(std::get<RunCheck>(world.sent[world.sent.size() - 2]).when == "after");
  CHECK(world.first<StopLoad>() <= result.checks[1].at);
}

TEST_CASE("a failed check after refutes, however well the SLOs held") {
  auto experiment = an_experiment();
  experiment.checks = {a_check("money", false, true)};
  World world(experiment, {planned("aaaaaaaa", {}, seconds(10))});
  world.failing_checks = {"money/after"};
  const auto& result = world.finish();
  CHECK(result.outcome == Outcome::refuted);
  CHECK(says(result, "check 'money' failed after"));
}

TEST_CASE("a failed check during stops the run at once") {
  auto experiment = an_experiment();
  experiment.checks = {a_check("door", false, false, seconds(2))};
  World world(experiment, {planned("aaaaaaaa", {}, seconds(60))});
  world.until(State::observing);
  world.run_for(seconds(5));
  CHECK(world.count<RunCheck>() == 3);  // at 0, 2 and 4 s
  const auto commands = world.give(CheckDone{{.name = "door", .when = "during", .passed = true}});
  CHECK(commands.empty());  // nobody asked
  world.failing_checks = {"door/during"};
  const auto& result = world.finish();
  CHECK(result.outcome == Outcome::refuted);
  CHECK(result.times.decision);
  CHECK(seconds_between(*result.times.first_injection, *result.times.decision) < 8);
}

TEST_CASE("a check that never answers has failed") {
  auto experiment = an_experiment();
  experiment.checks = {a_check("money", true, false)};
  World world(experiment, {planned("aaaaaaaa", {}, seconds(10))});
  world.give(Tick{});
  world.answers.clear();
  const auto& result = world.finish();
  CHECK(result.outcome == Outcome::refused);
  CHECK(says(result, "did not end in time"));
}

TEST_CASE("no steady state, no fault") {
  SUBCASE("errors") {
    auto world = one_fault();
    world.bad = 5;
    const auto& result = world.finish();
    CHECK(result.outcome == Outcome::refused);
    CHECK(says(result, "no steady state: pay: "));
    CHECK(says(result, "the objective allows 0.1%"));
    CHECK(world.count<Inject>() == 0);
    CHECK(world.count<StopLoad>() == 1);
  }
  SUBCASE("no data") {
    auto world = one_fault();
    world.data = false;
    const auto& result = world.finish();
    CHECK(result.outcome == Outcome::refused);
    CHECK(says(result, "no data came"));
    CHECK(world.count<Inject>() == 0);
  }
  SUBCASE("no events") {
    auto world = one_fault();
    world.good = 0;
    const auto& result = world.finish();
    CHECK(result.outcome == Outcome::refused);
    CHECK(says(result, "not one event"));
  }
  SUBCASE("stale data") {
    auto world = one_fault();
    world.data = false;
    world.give(Tick{});
    world.run_for(seconds(1));
    for (int i = 1; i < 30; ++i) {
      world.give(SliceSeen{
          0,
          {.begin = seconds(i), .end = seconds(i + 1), .total = 200, .state = guard::Freshness::stale, .problem = "last scrape 40s ago"}});
      world.run_for(seconds(1));
    }
    const auto& result = world.finish();
    CHECK(result.outcome == Outcome::refused);
    CHECK(says(result, "last scrape 40s ago"));
  }
}

TEST_CASE("several sources: those that are authoritative must be well before and after, the others need not") {
  auto experiment = an_experiment();
  experiment.slos[0].measures.push_back({.source = spec::PrometheusSource{}, .authoritative = false});
  World world(experiment, {planned("aaaaaaaa", {}, seconds(10))});
  SUBCASE("evidence that never comes stops nothing") { CHECK(world.finish().outcome == Outcome::held); }
  SUBCASE("an authority that never comes refuses the start, by name") {
    world.experiment.slos[0].measures[1].authoritative = true;
    CHECK(world.finish().outcome == Outcome::refused);
    CHECK(says(world.result(), "no steady state within"));
    CHECK(says(world.result(), "pay (prometheus): no data came"));
    CHECK(world.count<Inject>() == 0);
  }
}

TEST_CASE("a single bad request in the steady state may be chance") {
  auto world = one_fault();
  world.bad = 1;
  world.give(Tick{});
  world.run_for(seconds(1));
  world.bad = 0;
  CHECK(world.until(State::observing, seconds(30)));
}

TEST_CASE("an agent that gives no lease refuses the run") {
  SUBCASE("it says no") {
    auto world = one_fault();
    world.leases = false;
    world.give(Tick{});
    world.give(LeaseFailed{.agent = "local", .problem = "the policy allows no experiment now"});
    const auto& result = world.finish();
    CHECK(result.outcome == Outcome::refused);
    CHECK(says(result, "policy allows"));
    CHECK(world.count<Inject>() == 0);
  }
  SUBCASE("it is silent") {
    auto world = one_fault();
    world.leases = false;
    const auto& result = world.finish();
    CHECK(result.outcome == Outcome::refused);
    CHECK(says(result, "no lease within"));
  }
}

TEST_CASE("the guard aborts: RevertAll is the first command of the same step") {
  auto world = one_fault();
  world.plan.injections[0].length = seconds(60);
  world.until(State::observing);
  world.run_for(seconds(3));
  const auto before = world.sent.size();
  world.bad_when_faulted = 200;
  world.until(State::reverting, seconds(30));
  const auto decision = *world.result().times.decision;
  std::vector<Command> then;
  for (const auto& [at, command] : world.log)
    if (at == decision && !std::holds_alternative<AskStatus>(command)) then.push_back(command);
  REQUIRE(world.sent.size() > before);
  CHECK(is_first<RevertAll>(then));
  const auto& result = world.finish();
  CHECK(result.outcome == Outcome::refuted);
  REQUIRE(result.abort);
  CHECK_FALSE(result.abort->reasons.empty());
  CHECK(result.times.first_bad);
  CHECK(*result.times.first_bad <= decision);
  CHECK(*result.times.last_revert >= decision);
  CHECK(seconds_between(decision, *result.times.last_revert) <= 0.3);
  CHECK(result.times.recovered);
  CHECK(result.reasons[0].starts_with("pay"));
}

TEST_CASE("nothing precedes RevertAll, whichever event brings the stop") {
  const auto bring = [](const Happening& event, bool due_too) {
    World world(an_experiment(), {planned("aaaaaaaa", {}, seconds(60)), planned("bbbbbbbb", seconds(20), seconds(5))});
    world.until(State::injecting);
    world.run_for(seconds(5));
    if (due_too) world.now += seconds(30);  // an injection, an evaluation and a status are due in the same step
    const auto commands = world.give(event);
    REQUIRE(!commands.empty());
    CHECK(is_first<RevertAll>(commands));
    CHECK(std::none_of(commands.begin(), commands.end(), [](const Command& one) { return std::holds_alternative<Inject>(one); }));
    return world.finish().outcome;
  };
  for (const bool due : {false, true}) {
    CHECK(bring(StopAsked{"^C"}, due) == Outcome::interrupted);
    CHECK(bring(LeaseFailed{.agent = "local", .problem = "timeout", .expired = true}, due) == Outcome::inconclusive);
    CHECK(bring(StatusSeen{.agent = "local", .injections = {{.id = "aaaaaaaa", .step = "lost", .problem = "worker ended"}}}, due) ==
          Outcome::inconclusive);
  }
}

TEST_CASE("silence of the source ends the run as burning does") {
  auto world = one_fault();
  world.plan.injections[0].length = seconds(3600);
  world.until(State::observing);
  world.data = false;
  CHECK(world.until(State::reverting, seconds(200)));
  world.data = true;
  CHECK(world.finish().outcome == Outcome::refuted);
}

TEST_CASE("a fault that could not be injected") {
  struct Row {
    const char* what;
    Blame blame;
    Outcome outcome;
  };
  for (const Row row :
       {Row{"claimed by another", Blame::refused, Outcome::refused}, Row{"the process ended", Blame::missing, Outcome::refused},
        Row{"no sch_netem", Blame::unsupported, Outcome::refused}, Row{"netlink: no memory", Blame::system, Outcome::inconclusive}}) {
    CAPTURE(row.what);
    auto world = one_fault();
    world.inject_problem = row.what;
    world.inject_blame = row.blame;
    const auto& result = world.finish();
    CHECK(result.outcome == row.outcome);
    CHECK(says(result, row.what));
    CHECK(world.count<RevertAll>() == 1);
    CHECK(result.faults[0].problem == row.what);
    CHECK_FALSE(result.faults[0].active_at);
  }
}

TEST_CASE("a later injection that fails reverts what stands, and nothing is called held or refused") {
  World world(an_experiment(), {planned("aaaaaaaa", {}, seconds(20)), planned("bbbbbbbb", seconds(5), seconds(5))});
  world.until(State::injecting);
  world.run_for(seconds(3));
  world.inject_problem = "the process ended";
  world.inject_blame = Blame::missing;
  const auto& result = world.finish();
  CHECK(result.outcome == Outcome::inconclusive);
  CHECK(result.faults[0].step == "reverted");
  CHECK(seconds_between(*result.faults[0].active_at, *result.faults[0].reverted_at) < 7);
}

TEST_CASE("a load that cannot be started refuses the run") {
  auto world = one_fault();
  world.leases = false;
  world.until(State::steady);
  world.give(LoadFailed{"no socket left"});
  const auto& result = world.finish();
  CHECK(result.outcome == Outcome::refused);
  CHECK(says(result, "no socket left"));
}

TEST_CASE("an injection that is never answered does not hang the run") {
  auto world = one_fault();
  world.answers_injections = false;
  const auto& result = world.finish();
  CHECK(result.outcome == Outcome::inconclusive);
  CHECK(says(result, "gave no answer"));
}

TEST_CASE("an injection that is answered after the stop is reverted too") {
  auto world = one_fault();
  world.answers_injections = false;
  world.until(State::observing);
  world.give(StopAsked{"^C"});
  world.run_for(seconds(1));
  CHECK(world.runner->state() == State::reverting);  // it may still come
  world.standing.insert("aaaaaaaa");
  const auto commands = world.give(InjectDone{.id = "aaaaaaaa", .ok = true});
  REQUIRE(commands.size() == 1);
  CHECK(std::get<RevertOne>(commands[0]).id == "aaaaaaaa");
  const auto& result = world.finish();
  CHECK(world.standing.empty());
  CHECK(result.outcome == Outcome::interrupted);
  CHECK(result.faults[0].step == "reverted");
}

TEST_CASE("a fault that was not shown to have bitten is inconclusive, never held") {
  SUBCASE("affected nothing") {
    auto world = one_fault();
    world.bites = false;
    const auto& result = world.finish();
    CHECK(result.outcome == Outcome::inconclusive);
    CHECK(exit_code(result.outcome) == 5);
    CHECK(says(result, "network.impair on wallet-aaaaaaaa stood but affected nothing: 0 of 1000"));
  }
  SUBCASE("not read back") {
    auto world = one_fault();
    world.in_place = false;
    CHECK(world.finish().outcome == Outcome::inconclusive);
    CHECK(says(world.result(), "could not be read back"));
  }
  SUBCASE("lost") {
    auto world = one_fault();
    world.until(State::observing);
    world.status_step = "lost";
    const auto& result = world.finish();
    CHECK(result.outcome == Outcome::inconclusive);
    CHECK(says(result, "was lost"));
  }
  SUBCASE("its agent forgot it") {
    auto world = one_fault();
    world.until(State::observing);
    world.forgets = true;
    CHECK(world.finish().outcome == Outcome::inconclusive);
    CHECK(says(world.result(), "no longer knows"));
  }
  SUBCASE("someone else changed it") {
    auto world = one_fault();
    world.revert_step = "drifted";
    CHECK(world.finish().outcome == Outcome::inconclusive);
    CHECK(world.result().faults[0].step == "drifted");
  }
}

TEST_CASE("a fault that was halted on its agent: a person has stopped the run") {
  auto world = one_fault();
  world.until(State::observing);
  world.run_for(seconds(1));
  world.give(StatusSeen{.agent = "local", .injections = {{.id = "aaaaaaaa", .step = "reverted", .problem = "halted"}}});
  const auto& result = world.finish();
  CHECK(result.outcome == Outcome::interrupted);
  CHECK(says(result, "halted on agent local"));
}

TEST_CASE("too few events to tell is inconclusive") {
  auto world = one_fault();
  world.plan.injections[0].length = seconds(2);
  world.good = 1;
  const auto& result = world.finish();
  CHECK(result.outcome == Outcome::inconclusive);
  CHECK(says(result, "too few to tell"));
}

TEST_CASE("burning too slowly to be stopped and too fast to have held is inconclusive") {
  auto world = one_fault();
  world.bad_when_faulted = 2;  // of 200: ten times what the budget allows, 14.4 times is an alert
  const auto& result = world.finish();
  CHECK_FALSE(result.abort);
  CHECK(result.outcome == Outcome::inconclusive);
  CHECK(says(result, "events were bad: too many to say that it held, too few to stop it"));
}

TEST_CASE("a source that was steady and has gone silent before the others were steady refuses the start") {
  auto experiment = an_experiment();
  experiment.slos[0].measures.push_back({.source = spec::PrometheusSource{}});
  World world(experiment, {planned("aaaaaaaa", {}, seconds(10))});
  guard::Config config;
  const guard::SourceTerms source{.window_events = 200.0 * 86400 * 30, .rate_most = 200};
  config.slos = {{.name = "pay", .objective = 0.999, .sources = {source, source}}};
  config.length = seconds(60);
  auto guard = guard::Guard::make(config);
  REQUIRE(guard);
  world.runner = std::make_unique<Runner>(world.experiment, world.plan, std::move(*guard), "checkout-k3v9x0qa");
  auto prometheus = [&, begin = Duration{}]() mutable {
    const Duration end = world.now;
    world.give(SliceSeen{0, {.begin = std::exchange(begin, end), .end = end, .total = 200, .newest = end}, 1});
  };
  world.data = false;
  for (int i = 0; i < 4; ++i) {
    world.run_for(seconds(1));
    prometheus();
  }
  world.run_for(seconds(4));
  world.data = true;
  world.run_for(seconds(8));
  CHECK(world.runner->state() == State::steady);
  CHECK(world.count<Inject>() == 0);
  SUBCASE("for good") {
    CHECK(world.finish().outcome == Outcome::refused);
    CHECK(says(world.result(), "no steady state: pay: not a word from its source"));
    CHECK(world.count<Inject>() == 0);
  }
  SUBCASE("for a while") {
    prometheus();
    world.run_for(milliseconds(200));
    CHECK(world.count<Inject>() == 1);
  }
}

TEST_CASE("two stops before anything has begun are one end") {
  auto world = one_fault();
  world.give(StopAsked{"^C"});
  world.give(StopAsked{"SIGTERM"});
  CHECK(world.result().outcome == Outcome::interrupted);
  CHECK(world.result().reasons == std::vector<std::string>{"stopped by ^C"});
  CHECK(world.result().states.size() == 2);
  CHECK(world.count<Finish>() == 1);
}

TEST_CASE("what is stuck is said loudest of all") {
  auto world = one_fault();
  world.revert_step = "stuck";
  const auto& result = world.finish();
  CHECK(result.outcome == Outcome::left_behind);
  CHECK(exit_code(result.outcome) == 6);
  CHECK(result.faults[0].step == "stuck");
  CHECK(result.reasons[0].find("did not confirm") != std::string::npos);
  CHECK(std::ranges::count(world.result().events, "stuck", &Event::what) == 1);  // though it was tried many times
}

TEST_CASE("a revert that is stuck at first and works later is no left-behind") {
  auto world = one_fault();
  world.revert_step = "stuck";
  world.until(State::reverting);
  world.run_for(seconds(2));
  world.revert_step = "reverted";
  const auto& result = world.finish();
  CHECK(result.outcome == Outcome::inconclusive);
  CHECK(result.faults[0].step == "reverted");
}

TEST_CASE("an agent that is gone: the others are reverted at once, and it is said that it may keep something") {
  World world(an_experiment(), {planned("aaaaaaaa", {}, seconds(60), "a:1"), planned("bbbbbbbb", {}, seconds(60), "b:1")});
  world.until(State::observing);
  world.run_for(seconds(2));
  world.dead = {"b:1"};
  world.give(LeaseFailed{.agent = "b:1", .problem = "connection refused"});
  CHECK(world.runner->state() == State::observing);  // one missed renewal is not the end
  CHECK(is_first<RevertAll>(world.give(LeaseFailed{.agent = "b:1", .problem = "connection refused", .expired = true})));
  SUBCASE("for good") {
    const auto& result = world.finish();
    CHECK(result.outcome == Outcome::left_behind);
    CHECK(result.reasons[0].find("b:1") != std::string::npos);
    CHECK(result.faults[0].step == "reverted");
    CHECK(seconds_between(*result.faults[0].active_at, *result.faults[0].reverted_at) < 5);
  }
  SUBCASE("and back in time") {
    world.run_for(seconds(5));
    world.dead.clear();
    const auto& result = world.finish();
    CHECK(result.outcome == Outcome::inconclusive);
    CHECK(result.faults[1].step == "reverted");
  }
}

TEST_CASE("reverts that are not answered are asked again, and not for ever") {
  auto world = one_fault();
  world.until(State::observing);
  world.answers_reverts = false;
  world.give(StopAsked{"^C"});
  const Duration asked = world.now;
  const auto& result = world.finish();
  CHECK(result.outcome == Outcome::left_behind);
  CHECK(world.count<RevertOne>() >= 5);
  CHECK(world.count<RevertOne>() <= 10);
  CHECK(world.now - asked <= revert_bound + seconds(2));
}

TEST_CASE("an SLO that does not recover refutes") {
  auto world = one_fault();
  world.until(State::recovering);
  world.bad = 3;
  world.good = 197;
  const auto& result = world.finish();
  CHECK(result.outcome == Outcome::refuted);
  CHECK(says(result, "did not recover within 10s"));
  CHECK_FALSE(result.times.recovered);
}

TEST_CASE("the time of recovery is when the good stretch began") {
  auto world = one_fault();
  world.until(State::recovering);
  const Duration reverted = *world.result().times.last_revert;
  world.bad = 3;
  world.run_for(seconds(3));
  world.bad = 0;
  const auto& result = world.finish();
  REQUIRE(result.times.recovered);
  const double took = seconds_between(reverted, *result.times.recovered);
  CHECK(took >= 2);
  CHECK(took <= 5);
  CHECK(result.outcome == Outcome::held);
}

TEST_CASE("a stop asked for in any state ends the run, with nothing left") {
  for (const State state : {State::checking, State::steady, State::injecting, State::observing, State::reverting, State::recovering}) {
    CAPTURE(name_of(state));
    auto experiment = an_experiment();
    experiment.checks = {a_check("money", true, true)};
    World world(experiment, {planned("aaaaaaaa", {}, seconds(10)), planned("bbbbbbbb", seconds(5), seconds(5))});
    world.until(state);
    world.give(StopAsked{"^C"});
    world.give(StopAsked{"^C"});  // a second one changes nothing
    const Duration asked = world.now;
    const auto& result = world.finish();
    CHECK(result.outcome == (state == State::reverting ? Outcome::held : Outcome::interrupted));
    CHECK(world.standing.empty());
    CHECK((state == State::reverting || world.now - asked <= seconds(1)));
    CHECK(world.count<RevertAll>() <= 1);
    CHECK(world.count<Finish>() == 1);
  }
}

TEST_CASE("a done run answers nothing") {
  auto world = one_fault();
  world.finish();
  for (const Happening& event : {Happening{Tick{}}, Happening{StopAsked{"^C"}}, Happening{InjectDone{.id = "aaaaaaaa", .ok = true}}})
    CHECK(world.give(event).empty());
}

TEST_CASE("answers with ids and names nobody asked for change nothing") {
  auto world = one_fault();
  world.until(State::observing);
  world.run_for(milliseconds(500));
  const std::vector<Happening> strange = {
      InjectDone{.id = "zzzzzzzz", .ok = true},
      InjectDone{.id = "aaaaaaaa", .problem = "late"},
      RevertDone{.agent = "nobody", .ok = true},
      StatusSeen{.agent = "nobody"},
      CheckDone{{.name = "none", .when = "during"}},
      SliceSeen{7, {.end = seconds(1), .total = 1, .bad = 1}},
      RevertDone{.agent = "local", .id = "zzzzzzzz", .ok = true, .outcomes = {{.id = "zzzzzzzz", .step = "stuck"}}}};
  for (const auto& event : strange) CHECK(world.give(event).empty());
  CHECK(world.finish().outcome == Outcome::held);
}

TEST_CASE("an experiment with nothing to do ends in a handful of steps") {
  spec::Experiment experiment;
  experiment.name = "nothing";
  World world(experiment, {});
  world.give(Tick{});
  world.give(Tick{});
  world.give(Tick{});
  CHECK(world.runner->state() == State::done);
  CHECK(world.result().outcome == Outcome::held);
}

TEST_CASE("the guard's inputs replay to the verdicts of the run") {
  auto world = one_fault();
  world.plan.injections[0].length = seconds(60);
  world.bad_when_faulted = 100;
  const auto& result = world.finish();
  guard::Config config;
  config.slos = {{.name = "pay", .objective = 0.999, .sources = {{.window_events = 200.0 * 86400 * 30, .rate_most = 200}}}};
  config.length = seconds(60);
  const auto verdicts = guard::replay(config, world.runner->guard_inputs());
  REQUIRE(verdicts);
  const auto first = std::find_if(verdicts->begin(), verdicts->end(), [](const auto& one) { return one.abort; });
  REQUIRE(first != verdicts->end());
  CHECK(first->at == result.abort->at);
  CHECK(first->reasons[0].text == result.abort->reasons[0].text);
}

TEST_CASE("the guard holds: no further injection starts until data comes") {
  auto experiment = an_experiment();
  World world(experiment, {planned("aaaaaaaa", {}, seconds(30)), planned("bbbbbbbb", seconds(4), seconds(5))});
  guard::Config config;
  config.slos = {{.name = "pay", .objective = 0.999, .sources = {{.window_events = 200.0 * 86400 * 30, .rate_most = 200}}}};
  config.length = seconds(60);
  config.on_no_data = guard::OnNoData::hold;
  config.hold = seconds(20);
  auto guard = guard::Guard::make(config);
  REQUIRE(guard);
  world.runner = std::make_unique<Runner>(world.experiment, world.plan, std::move(*guard), "checkout-k3v9x0qa");
  world.until(State::injecting);
  world.data = false;
  world.run_for(seconds(1));
  const Duration seen = world.now;
  world.give(SliceSeen{0, {.begin = seen, .end = seen, .state = guard::Freshness::error, .newest = seen, .problem = "connection refused"}});
  world.run_for(seconds(6));
  CHECK(world.count<Inject>() == 1);
  world.data = true;
  world.run_for(seconds(3));
  CHECK(world.count<Inject>() == 2);
}

}  // namespace arashi::run
