// The control group, and demand that is lost.
#include "tests/unit/guard/simulator.hpp"

#include "experiments/guard/control.hpp"
#include "experiments/guard/lost_demand.hpp"

#include <algorithm>
#include <cmath>

using namespace arashi;
using namespace arashi::testing;
using namespace std::chrono_literals;
using guard::Cause;

namespace {

struct Groups {
  double treated_rate = 50, control_rate = 50, treated_bad = 0, control_bad = 0;  // events a second, error ratios
};

guard::Slice draw(int t, const Groups& groups, std::mt19937_64& random) {
  const auto count = [&](double rate) { return std::poisson_distribution<std::uint64_t>(rate)(random); };
  const auto some = [&](std::uint64_t of, double p) { return std::binomial_distribution<std::uint64_t>(of, p)(random); };
  const std::uint64_t treated = count(groups.treated_rate), control = count(groups.control_rate);
  const std::uint64_t untouched_bad = some(control, groups.control_bad);
  auto result = second(t, treated + control, some(treated, groups.treated_bad) + untouched_bad);
  result.control = guard::Counts{control, untouched_bad};
  return result;
}

guard::Effect after(const Groups& groups, int length, std::mt19937_64& random) {
  guard::ControlGroup control(0.0144, 600s, std::log(20.0));
  for (int t = 0; t < length; ++t) control.add(draw(t, groups, random));
  return control.effect();
}

}  // namespace

TEST_CASE("control group: the fault's effect is found and measured, an incident that hits both is told from it") {
  std::mt19937_64 random(3);
  const auto fault = after({.treated_bad = 0.3, .control_bad = 0.001}, 20, random);
  CHECK(fault.cause == Cause::fault);
  CHECK(fault.lowest > 10);
  const auto measured = after({.treated_bad = 0.2, .control_bad = 0.01}, 200, random);
  REQUIRE(measured.highest);
  CHECK(measured.lowest < 20);
  CHECK(*measured.highest > 20);
  CHECK(*measured.highest / measured.lowest < 3);
  const auto incident = after({.treated_bad = 0.3, .control_bad = 0.3}, 20, random);
  CHECK(incident.cause == Cause::incident);
  CHECK(incident.lowest < 1);
  const auto both = after({.treated_bad = 0.6, .control_bad = 0.1}, 60, random);
  CHECK(both.cause == Cause::both);
  const auto quiet = after({.treated_bad = 0.0005, .control_bad = 0.0005}, 60, random);
  CHECK(quiet.cause == Cause::unknown);
}

TEST_CASE("control group: the interval misses the truth in at most one run of twenty, though the traffic moves to and fro") {
  std::mt19937_64 random(17);
  constexpr int runs = 200;
  int missed = 0, blamed = 0;
  for (int i = 0; i < runs; ++i) {
    guard::ControlGroup control(0.0144, 600s, std::log(20.0));
    bool out = false, harm = false;
    for (int t = 0; t < 120; ++t) {
      const double level = 0.02 + 0.1 * (t % 40 < 10 ? 1 : 0);  // an incident comes and goes on both
      control.add(
          draw(t, {.treated_rate = 20.0 + t % 60, .control_rate = 90.0 - t % 50, .treated_bad = level, .control_bad = level}, random));
      const auto effect = control.effect();
      out = out || effect.lowest > 1 || (effect.highest && *effect.highest < 1);
      harm = harm || effect.lowest > 1;
    }
    missed += out ? 1 : 0;
    blamed += harm ? 1 : 0;
  }
  CHECK(missed <= 20);  // expected 10 at most; P(more than 20 of 200 at 5 %) < 0.002
  CHECK(blamed <= missed);
}

TEST_CASE("control group: under no difference the mean e-value of harm is at most 1, all ways to draw") {
  // 3 treated and 3 untouched requests, k of them bad: which ones is by lot (hypergeometric); the bet is on the binomial.
  const auto choose = [](int n, int k) {
    double result = 1;
    for (int i = 1; i <= k; ++i) result = result * (n - k + i) / i;
    return result;
  };
  for (int k = 0; k <= 6; ++k) {
    double mean = 0;
    for (int treated = 0; treated <= 3; ++treated) {
      if (k - treated < 0 || k - treated > 3) continue;
      guard::ControlGroup control(0.4, 10s, 3);
      auto slice = second(0, 6, static_cast<std::uint64_t>(k));
      slice.control = guard::Counts{3, static_cast<std::uint64_t>(k - treated)};
      control.add(slice);
      mean += choose(3, treated) * choose(3, k - treated) / choose(6, k) * std::exp(control.effect().log_e);
    }
    CAPTURE(k);
    CHECK(mean <= 1 + 1e-9);
  }
}

TEST_CASE("the guard's reason says what the control group says") {
  std::mt19937_64 random(5);
  for (const double control_bad : {0.0, 0.6}) {
    auto guard = make(config(100));
    guard.injected(0s);
    for (int t = 0; t < 8; ++t) guard.observe(0, draw(t, {.treated_bad = 0.6, .control_bad = control_bad}, random));
    const auto verdict = guard.evaluate(8s);
    REQUIRE(verdict.abort);
    REQUIRE(verdict.slos[0].effect);
    const std::string wanted = control_bad > 0 ? "probably an independent incident" : "the fault is the cause";
    const bool said = std::any_of(verdict.reasons.begin(), verdict.reasons.end(),
                                  [&](const auto& reason) { return reason.text.find(wanted) != std::string::npos; });
    CHECK(said);
  }
}

TEST_CASE("control group: when an incident stops the run it is known for one by then, or soon after the faults are gone") {
  std::mt19937_64 random(11);
  for (const double objective : {0.99, 0.999})
    for (const double level : {0.4, 1.0}) {
      auto terms = config(60);
      terms.slos[0].objective = objective;
      auto guard = make(terms);
      guard.injected(0s);
      const Groups groups{.treated_rate = 20, .control_rate = 40, .treated_bad = level, .control_bad = level};
      int t = 0;
      while (t < 30 && !guard.evaluate(std::chrono::seconds(t)).abort) guard.observe(0, draw(t++, groups, random));
      CAPTURE(objective);
      CAPTURE(level);
      CHECK(t < 20);
      CHECK(guard.evaluate(std::chrono::seconds(t)).slos[0].effect->cause == Cause::incident);
    }
}

TEST_CASE("control group: errors of the untouched replicas after the faults are gone tell of an incident, and nothing of the effect") {
  std::mt19937_64 random(12);
  guard::ControlGroup control(0.0144, 600s, std::log(20.0));
  for (int t = 0; t < 5; ++t) control.add(draw(t, {}, random));
  const auto before = control.effect();
  for (int t = 5; t < 20; ++t) control.add_after(draw(t, {.treated_bad = 0.5, .control_bad = 0.5}, random));
  CHECK(before.cause == Cause::unknown);
  CHECK(control.effect().cause == Cause::incident);
  CHECK(control.effect().treated.bad == before.treated.bad);
  CHECK(control.effect().log_e == before.log_e);
}

TEST_CASE("control group: untouched replicas at the threshold are called an incident in hardly one run of twenty") {
  std::mt19937_64 random(14);
  constexpr int runs = 400;
  int wrong = 0;
  for (int i = 0; i < runs; ++i) wrong += after({.control_bad = 0.0144}, 120, random).cause == Cause::incident ? 1 : 0;
  CHECK(wrong <= 33);  // promised 20 at most; P(more than 33 of 400 at 5 %) < 0.003
}

TEST_CASE("lost demand: missing requests are bad ones where asked for, and a fifth more or less is no loss") {
  for (const auto count : {guard::CountLost::no, guard::CountLost::before}) {
    std::mt19937_64 random(9);
    auto terms = config(20);
    terms.slos[0].count_lost = count;
    auto guard = make(terms);
    const auto feed = [&](int t, double rate) { guard.observe(0, second(t, std::poisson_distribution<std::uint64_t>(rate)(random), 0)); };
    for (int t = 0; t < 30; ++t) feed(t, 20);
    guard.injected(30s);
    for (int t = 30; t < 90; ++t) feed(t, 17.5);
    CHECK(guard.evaluate(90s).slos[0].lost == 0);
    CHECK_FALSE(guard.evaluate(90s).abort);
    int t = 90;
    for (; t < 130 && !guard.evaluate(std::chrono::seconds(t)).abort; ++t) feed(t, 0);
    CAPTURE(t);
    if (count == guard::CountLost::no) {
      CHECK(t == 130);
      continue;
    }
    CHECK(t <= 100);
    CHECK(guard.evaluate(std::chrono::seconds(t)).slos[0].lost > 20);
  }
}

TEST_CASE("lost demand: what a partial slice lacks is unknown, not lost") {
  for (const bool partial : {true, false}) {
    auto terms = config(100);
    terms.slos[0].count_lost = guard::CountLost::before;
    auto guard = make(terms);
    for (int t = 0; t < 30; ++t) guard.observe(0, second(t, 100, 0));
    guard.injected(30s);
    for (int t = 30; t < 40; ++t) {
      auto each = second(t, 50, 0);
      if (partial) each.state = guard::Freshness::partial;
      if (partial) each.missing = 0.5;
      guard.observe(0, each);
    }
    const auto state = guard.evaluate(40s).slos[0];
    CHECK((state.lost > 0) == !partial);
    CHECK((state.bad > 0) == !partial);
    CHECK(state.budget_charged > 0);
  }
}

TEST_CASE("lost demand against the control group: traffic that falls for both is no loss, for the faulted ones it is") {
  for (const bool both : {true, false}) {
    std::mt19937_64 random(21);
    guard::LostDemand lost(guard::CountLost::control, 600s, std::log(1000.0));
    for (int t = 0; t < 30; ++t) lost.learn(draw(t, {}, random));
    std::uint64_t missing = 0;
    for (int t = 30; t < 90; ++t) missing += lost.add(draw(t, {.treated_rate = 5, .control_rate = both ? 5.0 : 50.0}, random));
    CAPTURE(both);
    CHECK((missing == 0) == both);
    if (!both) CHECK(missing > 60 * 20);
    if (!both) CHECK(missing < 60 * 45);
  }
}

TEST_CASE("lost demand: steady traffic is called lost in hardly any run") {
  std::mt19937_64 random(33);
  int wrong = 0;
  for (int i = 0; i < 300; ++i) {
    guard::LostDemand lost(guard::CountLost::before, 300s, std::log(1000.0));
    std::poisson_distribution<std::uint64_t> events(8);
    for (int t = 0; t < 10; ++t) lost.learn(second(t, events(random), 0));
    std::uint64_t missing = 0;
    for (int t = 10; t < 310; ++t) missing += lost.add(second(t, events(random), 0));
    wrong += missing > 0 ? 1 : 0;
  }
  CHECK(wrong <= 2);  // promised 0.3
}
