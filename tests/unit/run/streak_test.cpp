#include "experiments/run/streak.hpp"

#include <doctest/doctest.h>

using namespace arashi;
using namespace arashi::run;

namespace {

guard::Slice slice(int second, std::uint64_t total, std::uint64_t bad) {
  return {.begin = std::chrono::seconds(second), .end = std::chrono::seconds(second + 1), .total = total, .bad = bad};
}

}  // namespace

TEST_CASE("within the objective: up to what it allows, and what chance explains") {
  CHECK(within_objective(0, 0, 0.999));
  CHECK(within_objective(100'000, 100, 0.999));  // exactly
  CHECK(within_objective(200, 1, 0.999));        // P(one or more) is 18 %
  CHECK_FALSE(within_objective(200, 3, 0.999));  // P is 0.1 %
  CHECK_FALSE(within_objective(1, 1, 0.999));
  CHECK_FALSE(within_objective(10, 10, 0.9));
  CHECK_FALSE(within_objective(100'000, 200, 0.999));
  CHECK(within_objective(10, 2, 0.9));
}

TEST_CASE("a streak counts fresh slices and starts again after one that is not") {
  Streak streak(0.99);
  CHECK(streak.measured() == "no data came");
  streak.extend(slice(0, 100, 0));
  streak.extend(slice(1, 100, 1));
  CHECK(streak.covered() == std::chrono::seconds(2));
  CHECK(streak.total() == 200);
  CHECK(streak.within());
  auto stale = slice(2, 100, 0);
  stale.state = guard::Freshness::stale;
  stale.problem = "41s old";
  streak.extend(stale);
  CHECK(streak.covered() == Duration{});
  CHECK(streak.measured() == "stale: 41s old");
  streak.extend(slice(3, 100, 50));
  CHECK(streak.begin() == std::chrono::seconds(3));
  CHECK_FALSE(streak.within());
  CHECK(streak.measured() == "50 of 100 bad (50%), the objective allows 1%");
}

TEST_CASE("a streak is without a gap: time of which nothing is known is not steady") {
  Streak streak(0.99);
  streak.extend(slice(0, 100, 0));
  streak.extend(slice(9, 100, 0));
  CHECK(streak.covered() == std::chrono::seconds(1));
  CHECK(streak.begin() == std::chrono::seconds(9));
}

TEST_CASE("in all: what was bad is told also when the streak has just started again") {
  Streak streak(0.99);
  CHECK(streak.measured_in_all() == "no data came");
  for (int i = 0; i < 10; ++i) {
    streak.extend(slice(i, 100, 30));
    streak.restart();
  }
  CHECK(streak.measured() == "not one event in 0s");
  CHECK(streak.measured_in_all() == "300 of 1000 bad (30%), the objective allows 1%");
  auto silent = slice(10, 0, 0);
  silent.state = guard::Freshness::error;
  silent.problem = "connection refused";
  streak.extend(silent);
  CHECK(streak.measured_in_all() == "300 of 1000 bad (30%), the objective allows 1%; at the end: error: connection refused");
  streak.forget();
  CHECK(streak.measured_in_all() == "no data came");
}
