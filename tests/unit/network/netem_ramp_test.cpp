#include "injector/network/netem_ramp.hpp"

#include <doctest/doctest.h>

using namespace arashi;
using namespace std::chrono_literals;

namespace {

constexpr Effects slow_link{.delay = 100ms, .jitter = 20ms, .loss = 0.5, .rate = {.bits_per_second = 8'000'000}, .ramp = 1s};

}  // namespace

TEST_CASE("a ramp of netem has a step each 50 ms, one at least and 2,000 at most") {
  for (const auto& [ramp, steps] : {std::pair<Duration, std::size_t>{0s, 0}, {1ns, 1}, {1s, 20}, {100s, 2000}, {24h, 2000}}) {
    auto effects = slow_link;
    effects.ramp = ramp;
    CHECK(netem::ramp_steps(effects) == steps);
  }
}

TEST_CASE("a ramp of netem begins with nothing and ends with what was asked, and a rate comes down") {
  const auto whole = netem::settings_for(slow_link);
  const auto begin = netem::grown(slow_link, whole, 0);
  CHECK(begin.delay == 0s);
  CHECK(begin.jitter == 0s);
  CHECK(begin.loss == 0);
  CHECK(begin.bytes_per_second >= 125'000'000'000);
  const auto half = netem::grown(slow_link, whole, 10);
  CHECK(half.delay == 50ms);
  CHECK(half.jitter == 10ms);
  CHECK(half.loss == doctest::Approx(whole.loss / 2.0).epsilon(1e-6));
  CHECK(half.bytes_per_second == 2'000'000);
  CHECK(netem::grown(slow_link, whole, 20) == whole);
  CHECK(netem::grown(slow_link, whole, 21) == whole);
}

TEST_CASE("the step at which netem stands is known, also when it comes early or late, and what someone else has set is none") {
  const auto whole = netem::settings_for(slow_link);
  for (const std::size_t step : {0U, 1U, 10U, 19U, 20U})
    for (const std::size_t expected : {0U, 10U, 20U, 1000U})
      CHECK(netem::step_of(slow_link, netem::grown(slow_link, whole, step), expected) == step);
  auto foreign = netem::grown(slow_link, whole, 10);
  foreign.delay += 1ns;
  CHECK_FALSE(netem::step_of(slow_link, foreign, 10).has_value());
}
