#include "experiments/load/schedule.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>

using namespace arashi;
using namespace arashi::load;
using namespace std::chrono_literals;

namespace {

std::vector<Duration> first(const spec::Load& load, std::size_t count) {
  Schedule schedule(load);
  std::vector<Duration> times;
  while (times.size() < count) {
    const auto next = schedule.next();
    if (!next) break;
    times.push_back(*next);
  }
  return times;
}

std::size_t between(const std::vector<Duration>& times, Duration from, Duration to) {
  return static_cast<std::size_t>(std::ranges::count_if(times, [&](Duration time) { return time >= from && time < to; }));
}

spec::Load steady(double rate) {
  spec::Load load;
  load.rate = {rate};
  return load;
}

spec::Load ramp() {  // 10/s to 110/s in 10 s, 5 s there, at once to 20/s
  auto load = steady(10);
  load.arrivals.stages = {{{110}, 10s}, {{110}, 5s}, {{20}, 0s}};
  return load;
}

}  // namespace

TEST_CASE("a ramp starts as many requests as the area under its line, in each of its parts") {
  const auto times = first(ramp(), 3000);
  CHECK(times[0] == 0s);
  CHECK(std::ranges::is_sorted(times));
  CHECK(between(times, 0s, 1s) == 15);  // 10 + 10 t: 15 in the first second
  CHECK(between(times, 4s, 5s) == 55);
  CHECK(between(times, 0s, 10s) == 600);  // mean 60/s
  CHECK(between(times, 10s, 15s) == 550);
  CHECK(between(times, 15s, 20s) == 100);
  CHECK(between(times, 60s, 61s) == 20);  // the last rate goes on
  const spec::Load load = ramp();
  CHECK(spec::expected_requests(load, 10s) == doctest::Approx(600));
  CHECK(spec::expected_requests(load, 20s) == doctest::Approx(1250));
  CHECK(spec::mean_rate(load, 20s).per_second == doctest::Approx(62.5));
  CHECK(spec::most_in_a_second(load, 5s) == doctest::Approx(60));
  CHECK(spec::most_in_a_second(load, 20s) == doctest::Approx(110));
}

TEST_CASE("a ramp downwards is the mirror of the one upwards") {
  auto load = steady(110);
  load.arrivals.stages = {{{10}, 10s}};
  const auto times = first(load, 700);
  CHECK(between(times, 0s, 1s) == 105);
  CHECK(between(times, 9s, 10s) == 15);
  CHECK(between(times, 0s, 10s) == 600);
  CHECK(spec::most_in_a_second(load, 20s) == doctest::Approx(110));
}

TEST_CASE("Poisson arrivals have exponential gaps, and the same seed gives the same times") {
  auto load = steady(100);
  load.arrivals.poisson = true;
  const auto times = first(load, 50'000);
  CHECK(times == first(load, 50'000));
  auto other = load;
  other.seed = 2;
  CHECK(times != first(other, 50'000));
  // Kolmogorov-Smirnov of the gaps; the bound is passed by chance once in 10^6.
  std::vector<double> gaps;
  for (std::size_t i = 1; i < times.size(); ++i) gaps.push_back(seconds(times[i] - times[i - 1]));
  std::ranges::sort(gaps);
  double worst = 0;
  for (std::size_t i = 0; i < gaps.size(); ++i)
    worst = std::max(worst, std::abs(1 - std::exp(-100 * gaps[i]) - static_cast<double>(i) / static_cast<double>(gaps.size())));
  CHECK(worst < 2.7 / std::sqrt(static_cast<double>(gaps.size())));
  // Counts of seconds: as much variance as mean, which evenly spread ones have not.
  double sum = 0, squares = 0;
  for (int second = 0; second < 480; ++second) {
    const auto count = static_cast<double>(between(times, second * 1s, (second + 1) * 1s));
    CHECK(count <= spec::most_in_a_second(load, 1h));
    sum += count;
    squares += count * count;
  }
  const double mean = sum / 480;
  CHECK(mean == doctest::Approx(100).epsilon(0.03));
  CHECK((squares / 480 - mean * mean) / mean == doctest::Approx(1).epsilon(0.4));
}

TEST_CASE("Poisson arrivals follow a ramp") {
  auto load = ramp();
  load.arrivals.poisson = true;
  std::size_t rising = 0, high = 0;
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    load.seed = seed;
    const auto times = first(load, 2000);
    rising += between(times, 0s, 5s);
    high += between(times, 10s, 15s);
  }
  CHECK(static_cast<double>(rising) / 50 == doctest::Approx(175).epsilon(0.05));
  CHECK(static_cast<double>(high) / 50 == doctest::Approx(550).epsilon(0.03));
}

TEST_CASE("recorded arrivals are played back, once or again and again") {
  spec::Load load;
  load.arrivals.record = {0s, 100ms, 100ms, 900ms};
  CHECK(first(load, 10) == load.arrivals.record);
  CHECK(spec::expected_requests(load, 1h) == 4);
  CHECK(spec::expected_requests(load, 900ms) == 3);
  CHECK(spec::most_in_a_second(load, 1h) == 4);
  load.arrivals.period = 1200ms;
  CHECK(first(load, 6) == std::vector<Duration>{0s, 100ms, 100ms, 900ms, 1200ms, 1300ms});
  CHECK(spec::expected_requests(load, 12s) == 40);
  CHECK(spec::mean_rate(load, 12s).per_second == doctest::Approx(40.0 / 12));
  CHECK(spec::most_in_a_second(load, 1h) == 4);  // 900 ms to 1900 ms: 900, 1200, 1300, 1300
}

TEST_CASE("a steady load does not drift") {
  CHECK(first(steady(3), 10'801).back() == 3600s);
  CHECK(spec::mean_rate(steady(3), 0s).per_second == 3);
  CHECK(spec::most_in_a_second(steady(3), 1h) == 3);
}
