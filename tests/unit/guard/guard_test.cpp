#include "tests/unit/guard/simulator.hpp"

#include "experiments/guard/budget.hpp"

#include "injector/core/json.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

using namespace arashi;
using namespace arashi::testing;
using namespace std::chrono_literals;
using guard::Freshness;
using guard::Layer;

namespace {

bool says(const guard::Verdict& verdict, Layer layer) {
  return std::any_of(verdict.reasons.begin(), verdict.reasons.end(), [&](const guard::Reason& reason) { return reason.layer == layer; });
}

guard::Slice notice(Duration at, Freshness state, Duration newest, const std::string& problem = "connection refused") {
  return {.begin = at, .end = at, .state = state, .newest = newest, .problem = problem};
}

}  // namespace

TEST_CASE("what could never work is refused, with the reason in words") {
  const auto refuse = [](const std::string& word, const auto& change) {
    auto wrong = config(10);
    change(wrong);
    const auto guard = guard::Guard::make(wrong);
    CAPTURE(word);
    REQUIRE_FALSE(guard);
    CHECK_MESSAGE(guard.error().message.find(word) != std::string::npos, guard.error().message);
  };
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (const double objective : {0.0, 1.0, -1.0, 2.0, nan}) refuse("objective", [&](auto& c) { c.slos[0].objective = objective; });
  refuse("can never be exceeded", [](auto& c) { c.slos[0].objective = 0.9; });
  refuse("can never be exceeded", [](auto& c) { c.burn = 1000.5; });
  for (const double budget : {0.0, -1.0, 1.5, nan}) refuse("budget", [&](auto& c) { c.budget = budget; });
  for (const double alpha : {0.0, 1.0, nan}) refuse("alpha", [&](auto& c) { c.alpha = alpha; });
  for (const double burn : {0.0, nan}) refuse("burn", [&](auto& c) { c.burn = burn; });
  for (const double events : {0.0, -5.0, nan, std::numeric_limits<double>::infinity()}) {
    refuse("no events", [&](auto& c) { c.slos[0].sources[0].window_events = events; });
    refuse("no events", [&](auto& c) { c.slos[0].sources[0].rate_most = events; });
  }
  refuse("not even one", [](auto& c) { c.slos[0].sources[0].window_events = 49'000; });
  refuse("rollback", [](auto& c) { c.rollback = 60s; });
  refuse("length", [](auto& c) { c.length = 0s; });
  refuse("hold", [](auto& c) { c.on_no_data = guard::OnNoData::hold; });
  CHECK(guard::Guard::make(config(10)));
}

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
  CHECK(cap->text == "checkout has spent 2 % of its 30-day budget; the limit of this experiment is 2 %");
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
  CHECK(verdict.reasons[0].text.find("nothing is known of the last 52 s (connection refused)") != std::string::npos);
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

TEST_CASE("onNoData abort ends at the first notice, hold only after its time, and both only after the injection") {
  auto terms = config(10);
  terms.on_no_data = guard::OnNoData::abort;
  auto guard = make(terms);
  guard.observe(0, second(0, 10, 0));
  guard.observe(0, notice(2s, Freshness::stale, 1s));
  CHECK_FALSE(guard.evaluate(2s).abort);
  CHECK(guard.evaluate(2s).hold);
  guard.injected(2s);
  CHECK(says(guard.evaluate(2s), Layer::no_data));
  CHECK(guard.evaluate(2s).abort);

  terms.on_no_data = guard::OnNoData::hold;
  terms.hold = 10s;
  guard = make(terms);
  guard.observe(0, second(0, 10, 0));
  guard.injected(1s);
  CHECK_FALSE(guard.evaluate(1s).hold);
  guard.observe(0, notice(5s, Freshness::empty, 1s));
  guard.observe(0, notice(9s, Freshness::empty, 1s));
  CHECK(guard.evaluate(14s).hold);
  CHECK_FALSE(guard.evaluate(14s).abort);
  CHECK(guard.evaluate(15s).abort);
  guard.observe(0, slice(1s, 14s, 140, 0));
  CHECK_FALSE(guard.evaluate(15s).hold);
  CHECK_FALSE(guard.evaluate(15s).abort);
}

TEST_CASE("before the injection nothing is charged, but without a fresh event nothing may start") {
  auto guard = make(config(10));
  CHECK(guard.evaluate(100s).hold);
  CHECK(guard.evaluate(100s).slos[0].budget_charged == 0);
  guard.observe(0, second(100, 0, 0));
  CHECK(guard.evaluate(101s).hold);  // fresh, but no traffic
  guard.observe(0, second(101, 10, 3));
  const auto verdict = guard.evaluate(102s);
  CHECK_FALSE(verdict.hold);
  CHECK_FALSE(verdict.abort);
  CHECK(verdict.slos[0].bad == 0);  // counted since the first injection
  CHECK(verdict.slos[0].burn_rate == doctest::Approx(300));
}

TEST_CASE("no traffic is neither good nor bad: nothing is spent and nothing is held") {
  auto guard = make(config(10));
  guard.injected(0s);
  for (int t = 0; t < 500; ++t) guard.observe(0, second(t, 0, 0));
  const auto verdict = guard.evaluate(500s);
  CHECK_FALSE(verdict.abort);
  CHECK(verdict.slos[0].log_held < verdict.slos[0].log_held_threshold);
  CHECK(verdict.slos[0].log_e == doctest::Approx(0));
  CHECK(verdict.slos[0].burn_rate == 0);
}

TEST_CASE("held needs evidence, and evidence from after the faults does not count") {
  auto guard = make(config(10));
  guard.injected(0s);
  for (int t = 0; t < 60; ++t) guard.observe(0, second(t, 10, 0));
  auto state = guard.evaluate(60s).slos[0];
  CHECK(state.log_held >= state.log_held_threshold);

  guard = make(config(10));
  guard.injected(0s);
  for (int t = 0; t < 60; ++t) {
    if (t == 10) guard.reverted(10s);
    guard.observe(0, second(t, t < 10 ? 0 : 10, 0));
  }
  state = guard.evaluate(60s).slos[0];
  CHECK(state.log_held < state.log_held_threshold);
  CHECK(state.total == 500);

  guard = make(config(10));  // burning as fast as is just allowed is not held either
  guard.injected(0s);
  for (int t = 0; t < 600; ++t) guard.observe(0, second(t, 10, t % 7 == 0 ? 1 : 0));
  state = guard.evaluate(600s).slos[0];
  CHECK(state.log_held < state.log_held_threshold);
}

TEST_CASE("held: what partial slices lack may be the bad ones, and more events than can have come are no evidence") {
  const auto held = [](const guard::Guard& guard) {
    const auto state = guard.evaluate(60s).slos[0];
    return state.log_held >= state.log_held_threshold;
  };
  for (const auto state : {Freshness::partial, Freshness::late_born, Freshness::fresh}) {
    auto guard = make(config(10));
    guard.injected(0s);
    for (int t = 0; t < 60; ++t) {
      auto each = second(t, 9, 0);
      each.state = state;
      each.missing = 0.1;
      guard.observe(0, each);
    }
    CHECK(held(guard) == (state == Freshness::fresh));
  }
  auto guard = make(config(10));  // a counter that appears with the count of its whole life
  guard.injected(0s);
  guard.observe(0, slice(0s, 1s, 1'000'000, 0));
  CHECK_FALSE(held(guard));
  CHECK(guard.evaluate(1s).slos[0].held_needs == 228);
  for (int t = 1; t < 23; ++t) guard.observe(0, second(t, 10, 0));
  CHECK(held(guard));
}

TEST_CASE("burn rates fire where the workbook's formula says: 51.8 s of outage in an hour, 518 s at 10 %") {
  struct Case {
    int bad;
    double at;
  };
  for (const Case& each : {Case{100, 51.84}, Case{50, 103.7}, Case{10, 518.4}, Case{5, 1036.8}}) {
    auto terms = config(100, std::chrono::hours(1));
    terms.budget = 1;  // leaves it to the alert
    terms.burn = 990;
    auto guard = make(terms);
    for (int t = 0; t < 6 * 3600; ++t) guard.observe(0, second(t, 100, 0));
    int t = 6 * 3600;
    guard::Verdict verdict;
    for (; t < 7 * 3600 && !verdict.abort; ++t) {
      guard.observe(0, second(t, 100, static_cast<std::uint64_t>(each.bad)));
      verdict = guard.evaluate(std::chrono::seconds(t + 1));
    }
    CAPTURE(each.bad);
    CHECK(says(verdict, Layer::burn_rate));
    CHECK(t - 6 * 3600 == std::ceil(each.at));
    CHECK(verdict.reasons[0].threshold == doctest::Approx(14.4));
  }
}

TEST_CASE("a young run does not make the long windows touchy") {
  auto terms = config(100, std::chrono::hours(1));
  auto guard = make(terms);
  guard.injected(0s);
  // 2 % errors: a burn rate of 20, over the 14.4 of the hour, but 30 minutes of it spend 1.4 % of the budget and not yet 2 %.
  bool fired = false;
  for (int t = 0; t < 1800; ++t) {
    guard.observe(0, second(t, 100, 2));
    fired = fired || says(guard.evaluate(std::chrono::seconds(t + 1)), Layer::burn_rate);
  }
  CHECK_FALSE(fired);
  const auto windows = guard.evaluate(1800s).slos[0].windows;
  REQUIRE_FALSE(windows.empty());
  CHECK(windows[0].burn_rate == doctest::Approx(20));
}

TEST_CASE("rules that a total outage could not reach are left out") {
  auto terms = config(100, 60s);
  terms.slos[0].objective = 0.95;  // the most is a burn rate of 20
  auto guard = make(terms);
  for (int t = 0; t < 7200; ++t) guard.observe(0, second(t, 100, 0));
  const auto verdict = guard.evaluate(7200s);
  for (const auto& window : verdict.slos[0].windows) CHECK(window.threshold < 20);
}

TEST_CASE("a long run that may spend little gets a stricter test than the alert's 14.4") {
  auto terms = config(100, std::chrono::hours(6));
  auto guard = make(terms);  // 2 % in 6 hours: a burn rate of 2.4
  guard.injected(0s);
  bool aborted = false;
  int t = 0;
  for (; t < 6 * 3600 && !aborted; ++t) {
    guard.observe(0, second(t, 100, 1));  // burn rate 10
    const auto verdict = guard.evaluate(std::chrono::seconds(t + 1));
    aborted = says(verdict, Layer::e_process);
  }
  CHECK(aborted);
  CHECK(t < 900);
}

TEST_CASE("slices out of order, twice or impossible add nothing") {
  auto guard = make(config(10));
  guard.injected(0s);
  guard.observe(0, second(0, 10, 1));
  guard.observe(0, second(1, 10, 1));
  guard.observe(0, second(1, 10, 1));
  guard.observe(0, second(0, 10, 1));
  guard.observe(7, second(2, 10, 1));
  guard.observe(0, slice(5s, -1s, 10, 10));
  CHECK(guard.evaluate(2s).slos[0].bad == 2);
  guard.observe(0, second(2, 3, 10));  // more bad than all: all
  CHECK(guard.evaluate(3s).slos[0].total == 30);
}

TEST_CASE("Prometheus's long slices: an outage seen every 15 s ends long before the cap, and each slice is one bet") {
  auto guard = make(config(10));
  guard.observe(0, slice(0s, 15s, 150, 0));
  guard.injected(15s);
  guard.observe(0, slice(15s, 15s, 150, 150));
  CHECK(says(guard.evaluate(30s), Layer::burn_rate));
  CHECK_FALSE(says(guard.evaluate(30s), Layer::e_process));
  for (const Duration t : {30s, 45s, 60s}) guard.observe(0, slice(t, 15s, 150, 150));
  CHECK(says(guard.evaluate(75s), Layer::e_process));
}

TEST_CASE("stored inputs replay to equal verdicts, bit by bit, also through text") {
  std::mt19937_64 random(3);
  auto terms = config(37.3);
  terms.slos.push_back(testing::terms(11.1, 0.995));
  terms.rollback = 1234567us;
  std::vector<guard::Input> inputs;
  auto guard = make(terms);
  std::vector<guard::Verdict> live;
  for (int t = 0; t < 120; ++t) {
    const Duration now = std::chrono::seconds(t + 1) + 12345678ns;
    if (t == 20 || t == 50) {
      guard.injected(now);
      inputs.push_back({.now = now, .injected = true});
    }
    if (t == 100) {
      guard.reverted(now);
      inputs.push_back({.now = now, .reverted = true});
    }
    for (std::size_t slo = 0; slo < 2; ++slo) {
      const auto bad = std::binomial_distribution<std::uint64_t>(37, t > 60 ? 0.2 : 0.001)(random);
      guard::Slice seen = second(t, 37, bad);
      if (t == 70) seen = notice(now, Freshness::error, std::chrono::seconds(t), "\"quoted\" \xff");
      guard.observe(slo, seen);
      inputs.push_back({.now = now, .slo = slo, .slice = seen});
    }
    live.push_back(guard.evaluate(now));
    inputs.push_back({.now = now});
  }
  CHECK(live.back().abort);
  const auto stored_config = parse_json(to_text(to_json(terms)));
  REQUIRE(stored_config);
  const auto config = guard::config_from(*stored_config);
  REQUIRE_MESSAGE(config, config.error().message);
  std::vector<guard::Input> read;
  for (const auto& input : inputs) {
    const auto json = parse_json(to_text(to_json(input)));
    REQUIRE(json);
    const auto back = guard::input_from(*json);
    REQUIRE_MESSAGE(back, back.error().message);
    read.push_back(*back);
  }
  const auto replayed = guard::replay(*config, read);
  REQUIRE_MESSAGE(replayed, replayed.error().message);
  REQUIRE(replayed->size() == live.size());
  for (std::size_t i = 0; i < live.size(); ++i) {
    const Json a = to_json(live[i]), b = to_json((*replayed)[i]);
    CHECK(to_text(a) == to_text(b));
    const auto back = guard::verdict_from(*parse_json(to_text(a)));
    REQUIRE_MESSAGE(back, back.error().message);
    CHECK(to_text(to_json(*back)) == to_text(a));
  }
}

TEST_CASE("a stored input that is damaged is refused with the field's name") {
  const auto refuse = [](const char* text, const std::string& word) {
    const auto input = guard::input_from(*parse_json(text));
    CAPTURE(text);
    REQUIRE_FALSE(input);
    CHECK_MESSAGE(input.error().message.find(word) != std::string::npos, input.error().message);
  };
  refuse("[]", "object");
  refuse("{}", "now");
  refuse(R"({"now": 1.5})", "now");
  refuse(R"({"now": 99999999999999999999})", "now");
  refuse(R"({"now": 1, "slo": -1})", "slo");
  refuse(R"({"now": 1, "slo": 0})", "slice");
  refuse(R"({"now": 1, "slo": 0, "slice": {"begin": 0, "end": 1, "total": -3, "bad": 0, "state": "fresh", "newest": 1, "problem": ""}})",
         "total");
  refuse(R"({"now": 1, "slo": 0, "slice": {"begin": 0, "end": 1, "total": 3, "bad": 0, "state": "good", "newest": 1, "problem": ""}})",
         "good");
  CHECK_FALSE(guard::replay(config(10), {{.now = 1s, .slo = 5}}));
  CHECK_FALSE(guard::config_from(*parse_json(R"({"slos": [1]})")));
}

TEST_CASE("cap: what comes by chance in a short time is charged by its 99.99 % quantile, where that is more than the highest rate tells") {
  CHECK(guard::most_by_chance(0) == 0);
  for (const double mean : {0.001, 0.05, 0.4, 2.0, 20.0, 90.0, 150.0, 1000.0}) {
    const auto beyond = [&](double most) {  // P(more than that many), summed from its end so that it is exact
      double sum = 0;
      for (double k = most + 1; k < most + 400; ++k) sum += std::exp(-mean + k * std::log(mean) - std::lgamma(k + 1));
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
  CHECK(refused.error().message.find("2 events may come by chance, but the experiment may spend only 1.5") != std::string::npos);
  CHECK(refused.error().message.find("raise guard.budget to more than 2.6 %") != std::string::npos);
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
