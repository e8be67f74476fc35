// Several sources of one SLO, silence, and what is left of a budget.
#include "tests/unit/guard/simulator.hpp"

#include "experiments/guard/e_process.hpp"
#include "injector/core/json.hpp"

#include <algorithm>

using namespace arashi;
using namespace arashi::testing;
using namespace std::chrono_literals;
using guard::Freshness;
using guard::Layer;

namespace {

guard::Config two_sources(double rate) {
  auto result = config(rate);
  result.slos[0].sources.push_back(result.slos[0].sources[0]);
  result.slos[0].sources[0].name = "load checkout";
  result.slos[0].sources[1].name = "prometheus";
  return result;
}

std::string refusal(const guard::Config& config) {
  const auto guard = guard::Guard::make(config);
  REQUIRE_FALSE(guard);
  CHECK(guard.error().blame == Blame::refused);
  return guard.error().message;
}

}  // namespace

TEST_CASE("guard sources: e-values are averaged and counts are never pooled") {
  auto both = make(two_sources(10));
  auto one = make(config(10));
  auto other = make(config(10));
  for (auto* guard : {&both, &one, &other}) guard->injected(0s);
  for (int t = 0; t < 5; ++t) {
    both.observe(0, second(t, 10, 3), 0);
    both.observe(0, second(t, 1000, 0), 1);  // pooled, this would hide it
    one.observe(0, second(t, 10, 3));
    other.observe(0, second(t, 1000, 0));
  }
  const auto log_e = [](const guard::Guard& guard) { return guard.evaluate(5s).slos[0].log_e; };
  CHECK(log_e(both) == doctest::Approx(guard::log_add(log_e(one), log_e(other)) - std::log(2.0)));
  const auto verdict = both.evaluate(5s);
  CHECK(verdict.abort);
  CHECK(verdict.slos[0].sources.size() == 2);
  CHECK(verdict.slos[0].sources[1].bad == 0);
  CHECK(verdict.slos[0].bad == 15);  // of the one that is worst off
  CHECK(verdict.reasons[0].text.find("checkout (load checkout)") == 0);
}

TEST_CASE("guard sources: the worst authoritative source is charged, one that is not is not") {
  for (const bool authoritative : {true, false}) {
    auto terms = two_sources(10);
    terms.slos[0].sources[1].authoritative = authoritative;
    auto guard = make(terms);
    guard.injected(0s);
    for (int t = 0; t < 60; ++t) guard.observe(0, second(t, 10, 0), 0);  // and from the second not a word
    const auto verdict = guard.evaluate(60s);
    CAPTURE(authoritative);
    CHECK(verdict.abort == authoritative);
    CHECK(says(verdict, Layer::cap) == authoritative);
    CHECK(verdict.slos[0].state == (authoritative ? Freshness::silent : Freshness::fresh));
  }
  auto nobody = two_sources(10);
  for (auto& source : nobody.slos[0].sources) source.authoritative = false;
  CHECK_FALSE(guard::Guard::make(nobody));
}

TEST_CASE("guard sources: held needs every authoritative source's evidence") {
  auto guard = make(two_sources(10));
  guard.injected(0s);
  for (int t = 0; t < 60; ++t) {
    guard.observe(0, second(t, 10, 0), 0);
    guard.observe(0, second(t, 1, 0), 1);
  }
  const auto state = guard.evaluate(60s).slos[0];
  CHECK(state.log_held < state.log_held_threshold);
  for (int t = 60; t < 300; ++t) {
    guard.observe(0, second(t, 10, 0), 0);
    guard.observe(0, second(t, 1, 0), 1);
  }
  const auto later = guard.evaluate(300s).slos[0];
  CHECK(later.log_held >= later.log_held_threshold);
}

TEST_CASE("pure silence is no data: abort aborts, hold holds and then aborts, charge charges") {
  auto terms = config(10);
  terms.slos[0].sources[0].patience = 3s;
  terms.on_no_data = guard::OnNoData::abort;
  auto guard = make(terms);
  guard.observe(0, second(0, 10, 0));
  guard.injected(1s);
  CHECK_FALSE(guard.evaluate(4s).abort);
  const auto verdict = guard.evaluate(4100ms);
  REQUIRE(verdict.abort);
  CHECK(verdict.reasons[0].layer == Layer::no_data);
  CHECK(verdict.reasons[0].text.find("no data for 3.1 s") != std::string::npos);
  CHECK(verdict.slos[0].state == Freshness::silent);
  guard.observe(0, slice(1s, 3s, 30, 0));
  CHECK_FALSE(guard.evaluate(4100ms).abort);

  terms.on_no_data = guard::OnNoData::hold;
  terms.hold = 10s;
  guard = make(terms);
  guard.observe(0, second(0, 10, 0));
  guard.injected(1s);
  CHECK_FALSE(guard.evaluate(4s).hold);
  CHECK(guard.evaluate(5s).hold);
  CHECK_FALSE(guard.evaluate(13s).abort);
  CHECK(guard.evaluate(14s).abort);

  terms.on_no_data = guard::OnNoData::charge;
  guard = make(terms);
  guard.observe(0, second(0, 10, 0));
  guard.injected(1s);
  CHECK_FALSE(guard.evaluate(40s).abort);
  CHECK(says(guard.evaluate(53s), Layer::cap));
}

TEST_CASE("NaN and late-born series are states of their own: no counts, and counts with something missing") {
  auto guard = make(config(10));
  guard.injected(0s);
  guard.observe(0, {.begin = 5s, .end = 5s, .state = Freshness::not_a_number, .newest = 0s, .problem = "'errors' is NaN"});
  CHECK(guard.evaluate(5s).slos[0].state == Freshness::not_a_number);
  CHECK(guard.evaluate(5s).slos[0].budget_charged == doctest::Approx(50 / 25920.0));
  auto born = slice(0s, 10s, 60, 2);
  born.state = Freshness::late_born;
  guard.observe(0, born);
  const auto state = guard.evaluate(10s).slos[0];
  CHECK(state.state == Freshness::late_born);
  CHECK(state.bad == 2);
  CHECK(state.budget_charged == doctest::Approx(42 / 25920.0));
}

TEST_CASE("a late-born slice that says how many more may be bad is charged these, at most what can have come, and they are no evidence") {
  const auto charged = [](std::optional<double> unknown, std::optional<double> missing) {
    auto guard = make(config(10));
    guard.injected(0s);
    auto born = slice(0s, 10s, 60, 2);
    born.state = missing ? Freshness::partial : Freshness::late_born;
    born.unknown = unknown;
    born.missing = missing;
    guard.observe(0, born);
    const auto state = guard.evaluate(10s).slos[0];
    CHECK(state.bad == 2);
    CHECK(state.log_e < state.log_threshold);
    return state.budget_charged * 25920;
  };
  CHECK(charged(7, {}) == doctest::Approx(2 + 7));
  CHECK(charged(0, {}) == doctest::Approx(2));
  CHECK(charged(6000, {}) == doctest::Approx(2 + 100));
  CHECK(charged(7, 0.25) == doctest::Approx(2 + 25 + 7));
  auto born = slice(0s, 10s, 60, 2);
  born.unknown = 7;
  const auto json = guard::to_json(guard::Input{.now = 10s, .slo = 0, .slice = born});
  const auto read = guard::input_from(json);
  REQUIRE(read);
  CHECK(read->slice.unknown == 7.0);
}

TEST_CASE("before the start: a spent budget, a reserve or a promise to others leaves nothing, and nothing starts") {
  auto spent = config(10);
  spent.slos[0].sources[0].window_bad = 26'000;
  CHECK(refusal(spent).find("no error budget is left for this experiment: 100% is used of the last 30 days") != std::string::npos);
  auto reserved = config(10);
  reserved.slos[0].sources[0].window_bad = 13'000;
  reserved.reserve = 0.5;
  CHECK(refusal(reserved).find("50% must stay (guard.reserve)") != std::string::npos);
  auto promised = config(10);
  promised.slos[0].promised = 1;
  CHECK(refusal(promised).find("100% is reserved for other running experiments") != std::string::npos);

  auto little = config(10);
  little.slos[0].sources[0].window_bad = 0.99 * 25920;
  CHECK(guard::allowance(little.slos[0], little.slos[0].sources[0], little) == doctest::Approx(0.01));
  auto guard = make(little);
  guard.injected(0s);
  int t = 0;
  for (; t < 100 && !says(guard.evaluate(std::chrono::seconds(t)), Layer::cap); ++t) guard.observe(0, second(t, 10, 8));
  CHECK(t == 33);  // 259.2 bad events instead of 518.4
  CHECK(guard.evaluate(std::chrono::seconds(t)).slos[0].budget_limit == doctest::Approx(0.01));
}

TEST_CASE("grace: an outage of that length is survived, a longer one is not, and one that would spend it all is refused") {
  const auto aborts_after = [](Duration grace, int outage, int begin) {
    auto terms = config(10);
    terms.grace = grace;
    auto guard = make(terms);
    guard.injected(0s);
    for (int t = 0; t < begin + outage + 30; ++t) {
      guard.observe(0, second(t, 10, t >= begin && t < begin + outage ? 10 : 0));
      if (guard.evaluate(std::chrono::seconds(t + 1)).abort) return t + 1 - begin;
    }
    return -1;
  };
  for (const int begin : {0, 100, 400}) {
    CAPTURE(begin);
    CHECK(aborts_after(9s, 9, begin) == -1);
    CHECK(aborts_after(9s, 60, begin) > 9);
    CHECK(aborts_after(9s, 60, begin) <= 20);
    CHECK(aborts_after(0s, 9, begin) > 0);
  }
  auto too_long = config(10);
  too_long.grace = 60s;
  CHECK(refusal(too_long).find("guard.grace") != std::string::npos);
}
