// How fast, and how often wrongly: the real guard in virtual time. The table in experiments/guard/README.md is printed by the first case.
#include "tests/unit/guard/simulator.hpp"

#include <algorithm>

using namespace arashi;
using namespace arashi::testing;
using namespace std::chrono_literals;

namespace {

struct Cell {
  int median = 0, p99 = 0, found = 0;
  double spent = 0;
};

Cell measure(double rate, double ratio, int onset, int runs) {
  std::mt19937_64 random(static_cast<std::uint64_t>(rate * 1000 + ratio * 100 + onset));
  std::vector<int> delays;
  std::vector<double> spent;
  for (int i = 0; i < runs; ++i) {
    const Run run = simulate(
        config(rate), rate, [&](int t) { return t < onset ? 0.0005 : ratio; }, random);
    if (!run.abort) continue;
    delays.push_back(*run.abort - onset);
    spent.push_back(run.spent);
  }
  Cell cell;
  cell.found = static_cast<int>(delays.size());
  if (delays.empty()) return cell;
  std::sort(delays.begin(), delays.end());
  std::sort(spent.begin(), spent.end());
  cell.median = delays[delays.size() / 2];
  cell.p99 = delays[std::min(delays.size() - 1, delays.size() * 99 / 100)];
  cell.spent = spent[spent.size() / 2];
  return cell;
}

}  // namespace

TEST_CASE("detection times: 99.9 % over 30 days, budget 2 %, ten minutes") {
  struct Row {
    double rate, ratio;
    int onset, median_most, p99_most;
  };
  constexpr int runs = 100;
  const Row rows[] = {{1, 1, 0, 6, 8},        {1, 0.1, 0, 150, 400},    {10, 1, 0, 4, 4},       {10, 0.1, 0, 20, 50},
                      {10, 0.05, 0, 75, 180}, {100, 1, 0, 4, 4},        {100, 0.05, 0, 20, 30}, {10, 1, 120, 5, 6},
                      {10, 0.1, 120, 30, 60}, {100, 0.05, 120, 25, 40}, {1000, 0.02, 0, 60, 90}};
  for (const Row& row : rows) {
    const Cell cell = measure(row.rate, row.ratio, row.onset, runs);
    MESSAGE(row.rate, " requests/s, ", row.ratio * 100, " % errors from second ", row.onset, ": median ", cell.median, " s, p99 ", cell.p99,
            " s, found ", cell.found, " of ", runs, ", budget spent ", cell.spent * 100, " %");
    CHECK(cell.found == runs);
    CHECK(cell.median <= row.median_most);
    CHECK(cell.p99 <= row.p99_most);
  }
}

TEST_CASE("false aborts: none in a clean run, and at the edge of the null no more than promised") {
  for (const double rate : {1.0, 10.0, 100.0}) {
    std::mt19937_64 random(11);
    int clean = 0, edge = 0;
    constexpr int runs = 40;
    for (int i = 0; i < runs; ++i) {
      if (simulate(
              config(rate), rate, [](int) { return 0.0005; }, random)
              .abort)
        ++clean;
      // The burn rate is exactly the 14.4 that is still allowed.
      const Run run = simulate(
          config(rate), rate, [](int) { return 0.0144; }, random);
      if (run.abort) ++edge;
    }
    CAPTURE(rate);
    CHECK(clean == 0);
    CHECK(edge <= 1);  // expected 0.04 at most: P(more than 1) < 0.001
  }
}

TEST_CASE("false aborts: short blips of 30 % errors are survived") {
  for (const double rate : {10.0, 100.0}) {
    std::mt19937_64 random(5);
    int aborted = 0;
    constexpr int runs = 40;
    for (int i = 0; i < runs; ++i) {
      // Two seconds, on average once in 300 s, but not in the first seconds, where the quick test watches.
      int until = 0;
      const auto shape = [&](int t) {
        if (t > 12 && t >= until && std::uniform_real_distribution<double>(0, 1)(random) < 1.0 / 300) until = t + 2;
        return t < until ? 0.3 : 0.0005;
      };
      if (simulate(config(rate), rate, shape, random).abort) ++aborted;
    }
    CAPTURE(rate);
    CHECK(aborted <= 1);
  }
}

TEST_CASE("two SLOs share the promise: each gets half of alpha") {
  auto two = config(10);
  two.slos.push_back(two.slos[0]);
  two.slos[1].name = "payments";
  const auto guard = make(two);
  const auto verdict = guard.evaluate(0s);
  REQUIRE(verdict.slos.size() == 2);
  CHECK(verdict.slos[0].log_threshold == doctest::Approx(std::log(2000.0)));
}
