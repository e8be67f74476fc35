// A fault that does not do what was asked of it is never a pass.
#include "tests/unit/run/world.hpp"

namespace arashi::run {

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
  CHECK(result.faults[0].step == Step::reverted);
  CHECK(seconds_between(*result.faults[0].active_at, *result.faults[0].reverted_at) < 7);
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
  CHECK(result.faults[0].step == Step::reverted);
}

TEST_CASE("a fault that was not shown to have bitten is inconclusive, never held") {
  SUBCASE("affected nothing") {
    auto world = one_fault();
    world.bites = false;
    const auto& result = world.finish();
    CHECK(result.outcome == Outcome::inconclusive);
    CHECK(exit_code(result.outcome) == 5);
    CHECK(says(result, "network.impair on wallet-aaaaaaaa was active, no effect observed: 0 of 1000"));
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
    world.status_step = Step::lost;
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
    world.revert_step = Step::drifted;
    CHECK(world.finish().outcome == Outcome::inconclusive);
    CHECK(world.result().faults[0].step == Step::drifted);
  }
}

}  // namespace arashi::run
