// Taking back, recovering, judging.
#include "tests/unit/run/world.hpp"

namespace arashi::run {

TEST_CASE("a failed check after refutes, however well the SLOs held") {
  auto experiment = an_experiment();
  experiment.checks = {a_check("money", false, true)};
  World world(experiment, {planned("aaaaaaaa", {}, seconds(10))});
  world.failing_checks = {"money/after"};
  const auto& result = world.finish();
  CHECK(result.outcome == Outcome::refuted);
  CHECK(says(result, "check 'money' failed after"));
}

TEST_CASE("too few events to tell is inconclusive") {
  auto world = one_fault();
  world.plan.injections[0].length = seconds(2);
  world.good = 1;
  const auto& result = world.finish();
  CHECK(result.outcome == Outcome::inconclusive);
  CHECK(says(result, "too few for a verdict"));
}

TEST_CASE("burning too slowly to be stopped and too fast to have held is inconclusive") {
  auto world = one_fault();
  world.bad_when_faulted = 2;  // of 200: ten times what the budget allows, 14.4 times is an alert
  const auto& result = world.finish();
  CHECK_FALSE(result.abort);
  CHECK(result.outcome == Outcome::inconclusive);
  CHECK(says(result, "events were bad: too many to show that it held, too few to abort"));
}

TEST_CASE("what is stuck is said loudest of all") {
  auto world = one_fault();
  world.revert_step = Step::stuck;
  const auto& result = world.finish();
  CHECK(result.outcome == Outcome::left_behind);
  CHECK(exit_code(result.outcome) == 6);
  CHECK(result.faults[0].step == Step::stuck);
  CHECK(result.reasons[0].find("did not confirm") != std::string::npos);
  CHECK(std::ranges::count(world.result().events, "stuck", &Event::what) == 1);  // though it was tried many times
}

TEST_CASE("a revert that is stuck at first and works later is no left-behind") {
  auto world = one_fault();
  world.revert_step = Step::stuck;
  world.until(State::reverting);
  world.run_for(seconds(2));
  world.revert_step = Step::reverted;
  const auto& result = world.finish();
  CHECK(result.outcome == Outcome::inconclusive);
  CHECK(result.faults[0].step == Step::reverted);
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
    CHECK(result.faults[0].step == Step::reverted);
    CHECK(seconds_between(*result.faults[0].active_at, *result.faults[0].reverted_at) < 5);
  }
  SUBCASE("and back in time") {
    world.run_for(seconds(5));
    world.dead.clear();
    const auto& result = world.finish();
    CHECK(result.outcome == Outcome::inconclusive);
    CHECK(result.faults[1].step == Step::reverted);
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

TEST_CASE("what does not recover is told with its numbers") {
  auto world = one_fault();
  world.until(State::recovering);
  world.good = 140;
  world.bad = 60;
  const auto& result = world.finish();
  CHECK(result.outcome == Outcome::refuted);
  CHECK(says(result, "pay did not recover within "));
  CHECK(says(result, " bad (30%), the objective allows 0.1%"));
  CHECK_FALSE(says(result, "not one event"));
}

TEST_CASE("an agent of our own that died: the run stops at once, is recovered by us, and nothing is left behind") {
  auto world = one_fault();
  world.until(State::observing);
  CHECK(is_first<RevertAll>(world.give(AgentDied{"local"})));
  const auto& result = world.finish();
  CHECK(result.outcome == Outcome::inconclusive);
  CHECK(says(result, "agent local died"));
  CHECK(result.faults[0].step == Step::reverted);
}

TEST_CASE("an agent of our own that died and cannot be recovered: what may be left is told by name") {
  auto world = one_fault();
  world.until(State::observing);
  world.dead = {"local"};
  world.give(AgentDied{"local"});
  const auto& result = world.finish();
  CHECK(result.outcome == Outcome::left_behind);
  CHECK(says(result, "may be left there: network.impair on wallet-aaaaaaaa [aaaaaaaa]"));
}

TEST_CASE("an agent of our own that died before anything was injected refuses the run") {
  auto world = one_fault();
  world.until(State::steady);
  world.give(AgentDied{"local"});
  CHECK(world.finish().outcome == Outcome::refused);
  CHECK(world.count<Inject>() == 0);
}

TEST_CASE("a runner that stood still does not hold against the service what it did not send or see") {
  for (const std::uint64_t bad : {0, 100}) {
    CAPTURE(bad);
    auto world = one_fault();
    world.until(State::observing);
    world.now += seconds(3);  // SIGSTOP, say
    world.bad_when_faulted = bad;
    const auto& result = world.finish();
    CHECK(result.abort.has_value() == (bad > 0));
    CHECK(result.outcome == Outcome::inconclusive);
    CHECK(result.reasons[0].find("the runner itself stood still for 3") == 0);
  }
}

TEST_CASE("an outage long after the runner stood still is the service's all the same, and both are told") {
  World world(an_experiment(), {planned("aaaaaaaa", {}, seconds(200))});
  world.config.length = seconds(300);
  world.until(State::observing);
  world.now += seconds(3);
  world.run_for(seconds(90));
  CHECK(world.runner->state() == State::observing);
  world.bad_when_faulted = 200;
  const auto& result = world.finish();
  CHECK(result.outcome == Outcome::refuted);
  CHECK(says(result, "the runner itself stood still for 3"));
}

TEST_CASE("a failed check is not excused by a runner that stood still, nor is a busy moment a standstill") {
  auto experiment = an_experiment();
  experiment.checks = {a_check("money", false, true)};
  World world(experiment, {planned("aaaaaaaa", {}, seconds(10))});
  world.failing_checks = {"money/after"};
  world.until(State::observing);
  world.now += seconds(3);
  CHECK(world.finish().outcome == Outcome::refuted);
  auto busy = one_fault();
  busy.until(State::observing);
  busy.now += milliseconds(1500);
  CHECK(busy.finish().outcome == Outcome::held);
}

}  // namespace arashi::run
