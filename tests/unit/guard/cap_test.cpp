// The cap: what is spent, what is charged for not knowing, and what is given back.
#include "tests/unit/guard/simulator.hpp"

#include "experiments/guard/budget.hpp"
#include "injector/core/json.hpp"

#include <algorithm>
#include <cmath>

using namespace arashi;
using namespace arashi::testing;
using namespace std::chrono_literals;
using guard::Freshness;
using guard::Layer;

TEST_CASE("the cap says what was spent and what the limit is") {
  auto guard = make(config(10));
  guard.injected(0s);
  int t = 0;
  guard::Verdict verdict;
  for (; t < 100 && !says(verdict, Layer::cap); ++t) {
    guard.observe(0, second(t, 10, 8));
    verdict = guard.evaluate(std::chrono::seconds(t + 1));
  }
  // 2 % of 25,920 bad events are 518.4: 65 seconds of 8.
  CHECK(t == 65);
  const auto cap = std::find_if(verdict.reasons.begin(), verdict.reasons.end(), [](const auto& r) { return r.layer == Layer::cap; });
  REQUIRE(cap != verdict.reasons.end());
  CHECK(cap->text == "checkout: error budget used 2.01% of the last 30 days (limit 2%)");
  CHECK(verdict.slos[0].budget_spent == doctest::Approx(520 / 25920.0));
}

TEST_CASE("the cap is never overspent, though the data stand still and the rollback takes its time") {
  for (const int age : {0, 1, 5, 15, 30})
    for (const int rollback : {0, 1, 3}) {
      auto terms = config(10);
      terms.rollback = std::chrono::seconds(rollback);
      auto guard = make(terms);
      guard.injected(0s);
      int t = 1;
      for (; t < 200; ++t) {
        if (t > age) guard.observe(0, second(t - age - 1, 10, 9));  // what was seen is `age` seconds old
        if (says(guard.evaluate(std::chrono::seconds(t)), Layer::cap)) break;
      }
      CAPTURE(age);
      CAPTURE(rollback);
      // In truth everything failed from the injection to the end of the rollback, but for the tenth in what was seen.
      const int seen = std::max(0, t - age);
      const double bad = 9 * seen + 10 * (t + rollback - seen);
      CHECK(bad <= 0.02 * 25920 + 10);
      CHECK(bad >= 0.02 * 25920 - 20);  // nor far too early
    }
}

TEST_CASE("silence spends the budget: with no data at all the experiment ends, and says why") {
  auto guard = make(config(10));
  guard.observe(0, second(0, 10, 0));
  guard.injected(1s);
  guard.observe(0, notice(5s, Freshness::error, 1s));
  CHECK_FALSE(guard.evaluate(10s).abort);
  CHECK_FALSE(guard.evaluate(52s).abort);
  const auto verdict = guard.evaluate(53s);
  REQUIRE(verdict.abort);
  CHECK(verdict.reasons[0].layer == Layer::cap);
  CHECK(verdict.reasons[0].text.find("there is no data for the last 52 s (connection refused)") != std::string::npos);
  CHECK(verdict.slos[0].budget_spent == 0);
  CHECK(verdict.slos[0].state == Freshness::error);
}

TEST_CASE("data that come back take the charge for their time back, a gap does not") {
  auto guard = make(config(10));
  guard.injected(0s);
  CHECK(guard.evaluate(20s).slos[0].budget_charged == doctest::Approx(200 / 25920.0));
  guard.observe(0, slice(0s, 20s, 200, 0));
  CHECK(guard.evaluate(20s).slos[0].budget_charged == 0);
  guard.observe(0, slice(25s, 5s, 50, 0));  // nobody will ever say what happened from 20 to 25
  CHECK(guard.evaluate(30s).slos[0].budget_charged == doctest::Approx(50 / 25920.0));
  auto partial = slice(30s, 10s, 60, 0);
  partial.state = Freshness::partial;  // 40 of at most 100 may be missing
  guard.observe(0, partial);
  CHECK(guard.evaluate(40s).slos[0].budget_charged == doctest::Approx(90 / 25920.0));
  auto one_of_four = slice(40s, 10s, 60, 0);
  one_of_four.state = Freshness::partial;  // a quarter of at most 100: the others have spoken, and were no more than 60
  one_of_four.missing = 0.25;
  guard.observe(0, one_of_four);
  CHECK(guard.evaluate(50s).slos[0].budget_charged == doctest::Approx(115 / 25920.0));
}

TEST_CASE("who was missing from partial slices and tells of that time after all is not charged twice") {
  for (const Duration begin : {0s, 5s}) {
    auto guard = make(config(10));
    guard.injected(begin);
    const double charged_for = 10 - seconds(begin);
    auto partial = slice(0s, 10s, 75, 0);
    partial.state = Freshness::partial;
    partial.missing = 0.25;
    guard.observe(0, partial);
    CHECK(guard.evaluate(10s).slos[0].budget_charged == doctest::Approx(charged_for * 2.5 / 25920.0));
    auto later = slice(10s, 1s, 35, 3);  // its own of the ten seconds, of which three were bad, and all of this one
    later.returned = {{.begin = 0s, .end = 10s, .share = 0.25}};
    guard.observe(0, later);
    CHECK(guard.evaluate(11s).slos[0].budget_charged == doctest::Approx(3 / 25920.0));
    CHECK(guard.evaluate(11s).slos[0].bad == 3);
  }
  guard::Input input{.now = 11s, .slo = 0, .slice = slice(10s, 1s, 35, 3)};
  input.slice.returned = {{.begin = 0s, .end = 10s, .share = 0.25}};
  const auto again = guard::input_from(guard::to_json(input));
  REQUIRE(again);
  REQUIRE(again->slice.returned.size() == 1);
  CHECK(again->slice.returned[0].end == 10s);
  CHECK(again->slice.returned[0].share == 0.25);
}

TEST_CASE("cap: what comes by chance in a short time is charged by its 99.99 % quantile, where that is more than the highest rate tells") {
  CHECK(guard::most_by_chance(0) == 0);
  for (const double mean : {0.001, 0.05, 0.4, 2.0, 20.0, 90.0, 150.0, 1000.0}) {
    const auto beyond = [&](double most) {  // P(more than that many), summed from its end so that it is exact
      double sum = 0;
      for (int i = 1; i < 400; ++i) {
        const double k = most + i;
        sum += std::exp(-mean + k * std::log(mean) - std::lgamma(k + 1));
      }
      return sum;
    };
    const double most = guard::most_by_chance(mean);
    CHECK(beyond(most) <= 1e-4);
    CHECK(beyond(most - (mean > 100 ? 3 : 1)) > 1e-4);  // hardly more than it has to be
  }
  auto terms = config(0.5);
  terms.rollback = 1s;
  terms.slos[0].sources[0].by_chance = true;
  auto guard = make(terms);
  guard.injected(0s);
  const double units = 0.5 * 86400 * 30 * 0.001;
  CHECK(guard.evaluate(1s).slos[0].budget_charged * units == doctest::Approx(6));  // P(more than 6 of 1) is 8e-5
  guard.observe(0, slice(0s, 1s, 1, 1));
  CHECK(guard.evaluate(1s).slos[0].budget_charged * units == doctest::Approx(1 + 5));  // of a rollback's 0.5: more than 4 1.7e-4, 5 1.4e-5
  CHECK(guard.evaluate(1001s).slos[0].budget_charged * units == doctest::Approx(1 + 586));
}

TEST_CASE("before the start: a cap that chance alone may fill before anybody sees it is refused, and says what would do") {
  auto terms = config(0.003);
  terms.slos[0].objective = 0.99;
  terms.rollback = 1s;
  auto& source = terms.slos[0].sources[0];
  source.by_chance = true;
  source.lag = 1s;
  CHECK(guard::Guard::make(terms));  // 1.6 bad events; of 0.006 more than one comes once in 55,000 times
  source.lag = 16s;
  const auto refused = guard::Guard::make(terms);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().blame == Blame::refused);
  CHECK_MESSAGE(refused.error().message.find("its data may be 16s old") != std::string::npos, refused.error().message);
  CHECK(refused.error().message.find("2 events may come by chance, but the limit of the experiment is 1.5") != std::string::npos);
  CHECK(refused.error().message.find("raise guard.budget to more than 2.5") != std::string::npos);
  source.by_chance = false;  // a load of one request in 333 s
  CHECK(guard::Guard::make(terms));
  auto late = config(100);  // its rate alone fills the cap: the plan warns, and the guard stops early
  late.slos[0].sources[0].by_chance = true;
  late.slos[0].sources[0].lag = 60s;
  CHECK(guard::Guard::make(late));
}

TEST_CASE("cap: at few requests a second and a source that is 15 s late no outage gets over it by more than one look") {
  std::mt19937_64 random(6);
  const auto over = [&](bool by_chance) {
    int runs = 0;
    for (int run = 0; run < 1000; ++run) {
      auto terms = config(0.2);
      terms.slos[0].objective = 0.99;
      terms.budget = 0.005;  // 26 bad events
      terms.rollback = 1s;
      terms.slos[0].sources[0].rate_most = 0.21;
      terms.slos[0].sources[0].by_chance = by_chance;
      terms.slos[0].sources[0].lag = 16s;
      auto guard = make(terms);
      guard.injected(0s);
      std::poisson_distribution<std::uint64_t> arrivals(0.2);
      std::uint64_t all = 0, waiting = 0, look = 0, rolling_back = 0;
      for (int t = 1, last = 0; t <= 600 && rolling_back == 0; ++t) {
        look = arrivals(random);
        all += look;
        waiting += look;
        if (t % 15 == run % 15) {
          guard.observe(0, slice(std::chrono::seconds(last), std::chrono::seconds(t - last), waiting, waiting));
          last = t;
          waiting = 0;
        }
        const auto state = guard.evaluate(std::chrono::seconds(t)).slos[0];
        if (state.budget_charged >= state.budget_limit) rolling_back = 1 + arrivals(random);
      }
      runs += static_cast<double>(all - look + rolling_back - 1) > 0.005 * 0.01 * 0.2 * 86400 * 30 ? 1 : 0;
    }
    return runs;
  };
  CHECK(over(true) == 0);
  CHECK(over(false) > 5);  // as it was: the highest rate alone
}
