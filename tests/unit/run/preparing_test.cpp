// Before anything may start: the agents are asked, and the past of the SLOs is read; both may take long, and a stop is heard meanwhile.
#include "tests/unit/run/world.hpp"

namespace arashi::run {

namespace {

World unanswered() {
  auto world = one_fault();
  world.prepares = false;
  world.give(Tick{});
  return world;
}

guard::Config a_config(const World& world) {
  guard::Config config = world.config;
  config.slos = {{.name = "pay", .objective = 0.999, .sources = {{.window_events = 200.0 * 86400 * 30, .rate_most = 200}}}};
  return config;
}

}  // namespace

TEST_CASE("preparing: the agents and the past are asked for at once and once, and nothing else before both have answered") {
  for (const bool plan_first : {true, false}) {
    auto world = unanswered();
    CHECK(world.runner->state() == State::preparing);
    world.run_for(seconds(60));
    CHECK(world.runner->state() == State::preparing);
    plan_first ? world.give(Planned{world.plan}) : world.give(PastRead{a_config(world)});
    world.run_for(seconds(60));
    CHECK(world.runner->state() == State::preparing);
    CHECK(world.sent.size() == 2);
    plan_first ? world.give(PastRead{a_config(world)}) : world.give(Planned{world.plan});
    CHECK(world.runner->state() > State::preparing);
    CHECK(world.count<MakePlan>() == 1);
    CHECK(world.count<ReadPast>() == 1);
    CHECK(world.count<OpenSources>() == 1);
    CHECK(world.finish().outcome == Outcome::held);
    CHECK(world.runner->config()->slos.size() == 1);
  }
}

TEST_CASE("a stop while preparing ends the run at once, whatever has answered, and what answers later changes nothing") {
  for (const int answered : {0, 1, 2}) {
    auto world = unanswered();
    if (answered == 1) world.give(Planned{world.plan});
    if (answered == 2) world.give(PastRead{a_config(world)});
    world.give(StopAsked{"SIGTERM"});
    CHECK(world.runner->state() == State::done);
    CHECK(world.result().outcome == Outcome::interrupted);
    CHECK(world.result().reasons == std::vector<std::string>{"interrupted by SIGTERM"});
    CHECK(world.give(Planned{world.plan}).empty());
    CHECK(world.give(PastRead{a_config(world)}).empty());
    CHECK(world.count<OpenLeases>() + world.count<RevertAll>() + world.count<Inject>() == 0);
    CHECK(world.count<Finish>() == 1);
  }
}

TEST_CASE("a past that cannot be read, or a guard that it refuses, ends the run before anything has started") {
  auto world = unanswered();
  world.give(Planned{world.plan});
  world.give(NotPrepared{{.message = "SLO 'pay': connection refused", .blame = Blame::refused}});
  CHECK(world.runner->state() == State::done);
  CHECK(world.result().outcome == Outcome::refused);
  REQUIRE(world.result().not_prepared);
  CHECK(world.result().not_prepared->message == "SLO 'pay': connection refused");
  auto other = unanswered();
  auto config = a_config(other);
  config.slos[0].sources[0].window_events = 0;  // no budget at all
  other.give(PastRead{config});
  CHECK(other.runner->state() == State::done);
  CHECK(other.result().not_prepared);
  CHECK(other.count<OpenLeases>() + other.count<RunCheck>() == 0);
}

TEST_CASE("a source that cannot be opened refuses the run, though its checks are under way") {
  auto experiment = an_experiment();
  experiment.checks = {a_check("money", true, true)};
  World world(experiment, {planned("aaaaaaaa", {}, seconds(10))});
  world.begin();
  CHECK(world.runner->state() == State::checking);
  world.give(NotPrepared{{.message = "SLO 'pay': no such file", .blame = Blame::input}});
  CHECK(world.finish().outcome == Outcome::refused);
  CHECK(world.result().not_prepared);
  CHECK(world.count<OpenLeases>() + world.count<Inject>() == 0);
}

}  // namespace arashi::run
