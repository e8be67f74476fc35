#include "tests/unit/guard/simulator.hpp"

#include <algorithm>

using namespace arashi;
using namespace arashi::testing;
using namespace std::chrono_literals;

namespace {

// 99.9 % of 43,200 minutes: 43.2 may be bad. A tenth of that may be spent.
guard::Config minutes(guard::Method method) {
  auto result = config(10);
  result.budget = 0.1;
  result.slos[0].method = method;
  result.slos[0].slice = 60s;
  result.slos[0].slice_target = 0.95;
  return result;
}

double spent(const guard::Guard& guard, int now) { return guard.evaluate(std::chrono::seconds(now)).slos[0].budget_spent * 43.2; }
double charged(const guard::Guard& guard, int now) { return guard.evaluate(std::chrono::seconds(now)).slos[0].budget_charged * 43.2; }

}  // namespace

TEST_CASE("timeslices: a minute is bad when its share of good events misses the target, as soon as that is certain") {
  auto guard = make(minutes(guard::Method::timeslices));
  guard.injected(0s);
  int t = 0;
  for (; t < 60; ++t) guard.observe(0, second(t, 10, t < 30 ? 1 : 0));  // 5 %, just good enough
  CHECK(spent(guard, 60) == 0);
  for (; t < 90; ++t) guard.observe(0, second(t, 10, 1));
  CHECK(spent(guard, 90) == 0);  // 30 bad are 5 % of 600
  guard.observe(0, second(t++, 10, 1));
  CHECK(spent(guard, 91) == doctest::Approx(1));  // whatever comes now
  for (; t < 120; ++t) guard.observe(0, second(t, 10, 0));
  CHECK(spent(guard, 120) == doctest::Approx(1));
  CHECK(guard.evaluate(120s).slos[0].bad == 61);
}

TEST_CASE("timeslices: unknown time makes a minute bad once it could have spoiled it") {
  auto guard = make(minutes(guard::Method::timeslices));
  guard.injected(0s);
  guard.observe(0, slice(0s, 30s, 300, 0));
  CHECK(charged(guard, 31) == doctest::Approx(0));   // a second or two do not spoil it
  CHECK(charged(guard, 34) == doctest::Approx(1));   // more than 30 of 600 may be bad
  CHECK(charged(guard, 124) == doctest::Approx(3));  // the next one, and the third's 4 s
  CHECK(spent(guard, 124) == doctest::Approx(0));
  guard.observe(0, slice(30s, 94s, 940, 0));
  CHECK(charged(guard, 124) == doctest::Approx(0));  // it was well all the time
}

TEST_CASE("timeslices: an outage ends it when the minutes that may be bad are bad, not before") {
  auto guard = make(minutes(guard::Method::timeslices));
  guard.injected(0s);
  int t = 0;
  bool abort = false;
  for (; t < 600 && !abort; ++t) {
    guard.observe(0, second(t, 10, 10));
    abort = guard.evaluate(std::chrono::seconds(t + 1)).abort;
  }
  CHECK(t > 60);    // one bad minute is no burn
  CHECK(t <= 240);  // 4.32 minutes are the cap
  auto clean = make(minutes(guard::Method::timeslices));
  clean.injected(0s);
  for (t = 0; t < 600; ++t) clean.observe(0, second(t, 10, t % 60 == 0 ? 10 : 0));  // each minute loses a sixtieth
  CHECK_FALSE(clean.evaluate(600s).abort);
  CHECK(clean.evaluate(600s).slos[0].log_held >= clean.evaluate(600s).slos[0].log_held_threshold);
}

TEST_CASE("ratio timeslices: every minute counts by its share of bad events") {
  auto guard = make(minutes(guard::Method::ratio_timeslices));
  guard.injected(0s);
  for (int t = 0; t < 60; ++t) guard.observe(0, second(t, 10, t < 30 ? 1 : 0));
  CHECK(spent(guard, 60) == doctest::Approx(0.05));
  for (int t = 60; t < 90; ++t) guard.observe(0, second(t, 10, 10));
  CHECK(spent(guard, 90) == doctest::Approx(0.55));
  CHECK(guard.evaluate(90s).abort);
}

TEST_CASE("an empty time slice is what the SLO says it is") {
  for (const auto& [empty, bad] :
       {std::pair{guard::EmptySlice::good, 0.0}, {guard::EmptySlice::bad, 2.0}, {guard::EmptySlice::skip, 0.0}}) {
    auto terms = minutes(guard::Method::timeslices);
    terms.slos[0].empty = empty;
    auto guard = make(terms);
    guard.injected(0s);
    for (int t = 0; t < 120; ++t) guard.observe(0, second(t, 0, 0));
    CHECK(spent(guard, 120) == doctest::Approx(bad));
  }
}

TEST_CASE("time slices whose budget has no room for one bad slice are refused") {
  auto terms = minutes(guard::Method::timeslices);
  terms.budget = 0.02;
  const auto guard = guard::Guard::make(terms);
  REQUIRE_FALSE(guard);
  CHECK(guard.error().message.find("time slices of 60 s, not even one") != std::string::npos);
  terms.slos[0].slice_target = 0;
  CHECK_FALSE(guard::Guard::make(terms));
  terms = minutes(guard::Method::ratio_timeslices);
  terms.slos[0].slice = 0s;
  CHECK_FALSE(guard::Guard::make(terms));
}

TEST_CASE("past time slices: bad ones are spent, by the same rule as those of the run") {
  for (const auto method : {guard::Method::timeslices, guard::Method::ratio_timeslices}) {
    const auto terms = minutes(method).slos[0];
    guard::PastSlices past(terms, terms.sources[0]);
    const Duration begin = 1'700'000'000s / 60s * 60s;  // as a clock gives it
    for (int minute = 0; minute < 100; ++minute) past.add(slice(begin + minute * 60s, 60s, 600, minute % 10 == 0 ? 300 : 6));
    CHECK(past.bad() == doctest::Approx(method == guard::Method::timeslices ? 10 : 10 * 0.5 + 90 * 0.01));
  }
}
