#include "tests/unit/guard/simulator.hpp"

#include <limits>

using namespace arashi;
using namespace arashi::testing;
using namespace std::chrono_literals;
using guard::Freshness;
using guard::Layer;

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
  refuse("a revert may take", [](auto& c) { c.rollback = 60s; });
  refuse("length", [](auto& c) { c.length = 0s; });
  refuse("hold", [](auto& c) { c.on_no_data = guard::OnNoData::hold; });
  CHECK(guard::Guard::make(config(10)));
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
