// A run from its begin to its end: states, times, checks, and what the core makes of events that nobody asked for.
#include "tests/unit/run/world.hpp"

namespace arashi::run {

TEST_CASE("a run with nothing wrong goes through all its states and held") {
  auto world = one_fault();
  const auto& result = world.finish();
  CHECK(result.outcome == Outcome::held);
  CHECK(exit_code(result.outcome) == 0);
  std::vector<State> states;
  for (const auto& [state, at] : result.states) states.push_back(state);
  CHECK(states == std::vector{State::preparing, State::checking, State::steady, State::injecting, State::observing, State::reverting,
                              State::recovering, State::done});
  CHECK(result.faults[0].step == Step::reverted);
  CHECK(result.faults[0].evidence.bit);
  CHECK(result.times.first_injection);
  CHECK(result.times.last_revert);
  CHECK(result.times.recovered);
  CHECK_FALSE(result.times.decision);
  CHECK_FALSE(result.times.first_bad);
  CHECK(world.count<Finish>() == 1);
  CHECK(world.count<RevertAll>() == 1);  // it ends the lease
  CHECK(std::holds_alternative<Finish>(world.sent.back()));
  CHECK(says(result, "1 fault took effect"));
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

TEST_CASE("an injection waits for the end of one before it whose claim holds its own, as its agent would refuse it till then") {
  auto first = planned("aaaaaaaa", {}, seconds(5));
  auto second = planned("bbbbbbbb", seconds(5), seconds(5));
  first.how.claims = {"netns:7/eth0/egress"};
  second.how.claims = {"netns:7/eth0/egress/system.slice"};
  World world(an_experiment(), {first, second});
  const auto& result = world.finish();
  CHECK(*result.faults[1].asked_at >= *result.faults[0].reverted_at);
  CHECK(result.outcome == Outcome::held);
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
      RevertDone{.agent = "local", .id = "zzzzzzzz", .ok = true, .outcomes = {{.id = "zzzzzzzz", .step = Step::stuck}}}};
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

}  // namespace arashi::run
