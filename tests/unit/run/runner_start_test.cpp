// What keeps a run from starting: nothing is injected.
#include "tests/unit/run/world.hpp"

namespace arashi::run {

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

TEST_CASE("a load that cannot be started refuses the run") {
  auto world = one_fault();
  world.leases = false;
  world.until(State::steady);
  world.give(LoadFailed{"no socket left"});
  const auto& result = world.finish();
  CHECK(result.outcome == Outcome::refused);
  CHECK(says(result, "no socket left"));
}

TEST_CASE("a source that was steady and has gone silent before the others were steady refuses the start") {
  auto experiment = an_experiment();
  experiment.slos[0].measures.push_back({.source = spec::PrometheusSource{}});
  World world(experiment, {planned("aaaaaaaa", {}, seconds(10))});
  const guard::SourceTerms source{.window_events = 200.0 * 86400 * 30, .rate_most = 200};
  world.config.slos = {{.name = "pay", .objective = 0.999, .sources = {source, source}}};
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
    CHECK(says(world.result(), "no steady state: pay: no data for"));
    CHECK(world.count<Inject>() == 0);
  }
  SUBCASE("for a while") {
    prometheus();
    world.run_for(milliseconds(200));
    CHECK(world.count<Inject>() == 1);
  }
}

}  // namespace arashi::run
