// What ends a run early: the guard, a check, silence, a person. RevertAll comes first.
#include "tests/unit/run/world.hpp"

namespace arashi::run {

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

TEST_CASE("requests that the runner itself did not send make the run inconclusive, not refuted") {
  auto world = one_fault();
  world.until(State::observing);
  world.run_for(seconds(2));
  world.data = false;
  for (int second = 0; second < 100 && world.runner->state() == State::observing; ++second) {
    const Duration begin = world.slice_begin;
    world.run_for(seconds(1));
    world.give(SliceSeen{0,
                         {.begin = begin,
                          .end = begin + seconds(1),
                          .state = guard::Freshness::partial,
                          .newest = begin + seconds(1),
                          .problem = "200 requests were not sent in time: no socket",
                          .missing = 1,
                          .ours = 200}});
  }
  world.data = true;
  const auto& result = world.finish();
  CHECK(result.outcome == Outcome::inconclusive);
  CHECK(says(result, "no socket"));
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
    CHECK(bring(StatusSeen{.agent = "local", .injections = {{.id = "aaaaaaaa", .step = Step::lost, .problem = "worker ended"}}}, due) ==
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

TEST_CASE("a fault that was halted on its agent: a person has stopped the run") {
  auto world = one_fault();
  world.until(State::observing);
  world.run_for(seconds(1));
  world.give(StatusSeen{.agent = "local", .injections = {{.id = "aaaaaaaa", .step = Step::reverted, .code = Code::halted}}});
  const auto& result = world.finish();
  CHECK(result.outcome == Outcome::interrupted);
  CHECK(says(result, "halted on agent local"));
}

TEST_CASE("two stops before anything has begun are one end") {
  auto world = one_fault();
  world.prepares = false;
  world.give(StopAsked{"^C"});
  world.give(StopAsked{"SIGTERM"});
  CHECK(world.result().outcome == Outcome::interrupted);
  CHECK(world.result().reasons == std::vector<std::string>{"interrupted by ^C"});
  CHECK(world.result().states.size() == 2);
  CHECK(world.count<Finish>() == 1);
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

TEST_CASE("the guard holds: no further injection starts until data comes") {
  auto experiment = an_experiment();
  World world(experiment, {planned("aaaaaaaa", {}, seconds(30)), planned("bbbbbbbb", seconds(4), seconds(5))});
  auto& config = world.config;
  config.slos = {{.name = "pay", .objective = 0.999, .sources = {{.window_events = 200.0 * 86400 * 30, .rate_most = 200}}}};
  config.on_no_data = guard::OnNoData::hold;
  config.hold = seconds(20);
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
