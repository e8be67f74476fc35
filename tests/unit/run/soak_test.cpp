// A run of hours, in simulated time: what it keeps in memory does not grow with its length.
#include "tests/unit/run/world.hpp"

#include <malloc.h>

namespace arashi::run {

namespace {

std::size_t bytes_in_use() { return ::mallinfo2().uordblks; }

void soak(World& world, Duration time) {
  for (const Duration end = world.now + time; world.now < end;) {
    world.tick();
    CHECK(world.runner->guard_inputs().size() < 100);
    world.runner->forget_inputs();  // as the loop does when its observers have looked
    world.sent.clear();
    world.log.clear();
  }
}

}  // namespace

TEST_CASE("six hours of soak are in bounded memory, and the charts still show all of them") {
  constexpr Duration length = std::chrono::hours(6);
  World world(an_experiment(), {planned("aaaaaaaa", {}, length)});
  world.config.length = length + std::chrono::minutes(1);
  REQUIRE(world.until(State::observing));
  soak(world, std::chrono::minutes(75));
  const std::size_t after_the_first = bytes_in_use();
  soak(world, std::chrono::minutes(270));
  const std::size_t at_the_end = bytes_in_use();
  REQUIRE(world.runner->state() == State::observing);
  MESSAGE(after_the_first, " bytes after 75 minutes, ", at_the_end, " after 345");
  CHECK(at_the_end < after_the_first + (std::size_t{4} << 20U));
  const auto& verdicts = world.result().verdicts;
  CHECK(verdicts.size() <= 4000);
  CHECK(verdicts.size() >= 1900);
  Duration longest{};
  for (std::size_t i = 1; i < verdicts.size(); ++i) longest = std::max(longest, verdicts[i].at - verdicts[i - 1].at);
  CHECK(longest < seconds(20));
  REQUIRE(world.until(State::done, std::chrono::minutes(20)));
  CHECK(world.result().outcome == Outcome::held);
}

}  // namespace arashi::run
