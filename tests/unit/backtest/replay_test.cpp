// Recorded histories whose answer is known, under the real guard.
#include "experiments/backtest/study.hpp"
#include "injector/core/json.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <functional>

using namespace arashi;
using namespace arashi::backtest;
using namespace std::chrono_literals;

namespace {

constexpr Duration day0 = 1'760'000'000s;

// `p(t)`: error ratio in the second t; negative: nothing is recorded.
Record recorded(int length, int step, int rate, const std::function<double(int)>& p) {
  Series series{.slo = "checkout", .step = std::chrono::seconds(step)};
  for (int t = 0; t + step <= length; t += step) {
    const double ratio = p(t);
    if (ratio < 0) continue;
    const auto total = std::uint64_t{1} * static_cast<unsigned>(step) * static_cast<unsigned>(rate);
    series.samples.push_back({.begin = day0 + std::chrono::seconds(t),
                              .end = day0 + std::chrono::seconds(t + step),
                              .total = total,
                              .bad = static_cast<std::uint64_t>(std::llround(ratio * static_cast<double>(total)))});
  }
  return {{std::move(series)}};
}

guard::Config config_for(const Record& record, double budget = 0.02) {
  guard::Config config;
  config.slos = {{.name = "checkout", .objective = 0.999, .sources = {{}}}};
  config.budget = budget;
  config.length = 2min;
  auto made = with_terms(config, record);
  REQUIRE_MESSAGE(made, made.error().message);
  return std::move(made).value();
}

const Shape shape{.steady = 10s, .injections = {0s, 30s}, .faults = 90s, .length = 120s, .delay = 0s};

Outcome replayed(const Record& record, int at, double budget = 0.02, const Shape& with = shape) {
  auto outcome = replay(record, config_for(record, budget), with, day0 + std::chrono::seconds(at));
  REQUIRE_MESSAGE(outcome, outcome.error().message);
  return std::move(outcome).value();
}

}  // namespace

TEST_CASE("a quiet history: nothing is aborted, and what is spent is what was recorded") {
  const Record record = recorded(7200, 1, 100, [](int t) { return t % 100 == 0 ? 0.01 : 0; });
  const Outcome outcome = replayed(record, 1000);
  CHECK_FALSE(outcome.abort);
  CHECK(outcome.refused.empty());
  CHECK_FALSE(outcome.cap_crossed);
  const double budget_events = 0.001 * 100 * 30 * 86400;
  CHECK(outcome.slos.at(0).would_spend == doctest::Approx(1 / budget_events));  // 2 at most, and 1100 is behind the stretch's 1000
  CHECK(outcome.slos.at(0).spent == doctest::Approx(outcome.slos.at(0).would_spend));
}

TEST_CASE("an outage in the past is found as fast as a live guard finds it, and the moment does not depend on the step of the record") {
  const auto outage = [](int t) { return t >= 3600 && t < 3900 ? 1.0 : 0.0; };
  const Outcome fine = replayed(recorded(7200, 1, 100, outage), 3590);
  REQUIRE(fine.abort);
  CHECK(*fine.abort >= 11s);
  CHECK(*fine.abort <= 14s);
  CHECK(fine.why.at(0).slo == "checkout");
  CHECK(fine.slos.at(0).spent < 0.01);
  CHECK(fine.cap_crossed);  // 110 s of outage is more than 2 % of 30 days' 0.1 %
  const Outcome coarse = replayed(recorded(7200, 15, 10, outage), 3590, 0.2);
  REQUIRE(coarse.abort);
  CHECK(*coarse.abort <= 40s);
  CHECK(replayed(recorded(7200, 1, 100, outage), 5000).abort == std::nullopt);
}

TEST_CASE("an abort during a total outage is no false abort, however little the experiment would have used by its end") {
  const Record record = recorded(7200, 1, 100, [](int t) { return t >= 3600 && t < 3606 ? 1.0 : 0.0; });
  const Outcome outcome = replayed(record, 3598);
  REQUIRE(outcome.abort);
  CHECK_FALSE(outcome.cap_crossed);
  CHECK(outcome.burned);
  CHECK(outcome.slos.at(0).would_spend == doctest::Approx(600 / (0.001 * 100 * 30 * 86400)).epsilon(0.01));
  const Study study = summarise(record, shape, {outcome});
  CHECK(study.justified == 1);
  CHECK(study.false_aborts == 0);
  CHECK(to_text(config_for(record), outcome).find(", a true abort\n") != std::string::npos);
}

TEST_CASE("an abort without a recorded violation is a false abort") {
  const Record record = recorded(7200, 1, 100, [](int t) { return t >= 3600 && t < 4200 ? -1.0 : 0.0; });
  const Outcome outcome = replayed(record, 3590);
  REQUIRE(outcome.abort);
  CHECK_FALSE(outcome.burned);
  const Study study = summarise(record, shape, {outcome});
  CHECK(study.justified == 0);
  CHECK(study.false_aborts == 1);
  CHECK(to_text(config_for(record), outcome).find("a false abort") != std::string::npos);
}

TEST_CASE("silence is charged second by second, as live") {
  const Record record = recorded(7200, 1, 100, [](int t) { return t >= 3600 && t < 4200 ? -1.0 : 0.0; });
  const Outcome outcome = replayed(record, 3590);
  REQUIRE(outcome.abort);
  CHECK(outcome.why.at(0).layer == guard::Layer::cap);
  // 300 events a second may be bad for all one knows, and one second more is kept for the rollback; 2 % are 5184 events.
  CHECK(*outcome.abort == 10s + 17s);
  CHECK(outcome.slos.at(0).spent == 0);
  CHECK_FALSE(outcome.cap_crossed);

  guard::Config config = config_for(record);
  config.on_no_data = guard::OnNoData::abort;
  const auto strict = replay(record, config, shape, day0 + 3590s);
  REQUIRE(strict);
  REQUIRE(strict->abort);
  CHECK(*strict->abort == 12500ms);  // stale after two and a half steps
  CHECK(strict->why.at(0).layer == guard::Layer::no_data);
}

TEST_CASE("where the steady state would not have held nothing starts") {
  const Record burning = recorded(7200, 1, 100, [](int t) { return t < 3600 ? 0.05 : 0.0; });
  CHECK(replayed(burning, 3000).refused == "checkout: not within its objective");
  CHECK(replayed(burning, 3700).refused.empty());
  const Record silent = recorded(7200, 1, 100, [](int t) { return t >= 1000 && t < 2000 ? -1.0 : 0.0; });
  CHECK(replayed(silent, 1500).refused == "checkout: no data");
}

TEST_CASE("a delay is waited for, and charged") {
  const Record record = recorded(7200, 1, 100, [](int t) { return t >= 3600 ? 1.0 : 0.0; });
  Shape late = shape;
  late.delay = 5s;
  const Outcome now = replayed(record, 3590), later = replayed(record, 3590, 0.02, late);
  REQUIRE(now.abort);
  REQUIRE(later.abort);
  CHECK(*later.abort - *now.abort >= 3s);
  CHECK(*later.abort - *now.abort <= 6s);
}

TEST_CASE("many starts: the same seed draws the same, and the shares add up") {
  const Record record = recorded(86400, 1, 100, [](int t) { return t >= 40000 && t < 40300 ? 1.0 : t % 7 == 0 ? 0.01 : 0; });
  const auto starts = draw_starts(record, shape, 300, 7);
  REQUIRE(starts);
  CHECK(*starts == *draw_starts(record, shape, 300, 7));
  CHECK(*starts != *draw_starts(record, shape, 300, 8));
  CHECK(starts->front() >= record.begin() + 10s);
  CHECK(starts->back() <= record.end() - 120s);
  const auto config = config_for(record);
  std::vector<Outcome> outcomes;
  for (const Duration start : *starts) outcomes.push_back(*replay(record, config, shape, start));
  outcomes.push_back(*replay(record, config, shape, day0 + 39950s));  // surely meets the outage
  outcomes.push_back(*replay(record, config, shape, day0 + 40100s));  // surely in it already
  const Study study = summarise(record, shape, outcomes);
  CHECK(study.starts == 302);
  CHECK(study.ran + study.refused.at("checkout: not within its objective") == 302);
  CHECK(study.aborted == study.justified + study.false_aborts);
  CHECK(study.justified >= 1);
  CHECK(study.missed == 0);
  CHECK(study.independent <= study.ran);
  REQUIRE_FALSE(study.incidents.empty());
  CHECK(study.incidents.front().from > day0 + 40000s);
  CHECK(study.incidents.front().from < day0 + 40300s);
  CHECK(study.incidents.front().starts == study.aborted);

  const std::string text = to_text(record, config, shape, study);
  CHECK(text.find("302 random starts") != std::string::npos);
  CHECK(text.find("When it would have aborted:") != std::string::npos);
  const Json json = to_json(record, config, shape, study, outcomes);
  CHECK(json["aborted"]["count"] == study.aborted);
  CHECK(json["aborts"].size() == study.aborted);
  CHECK(json["record"]["slos"][0]["total"] == 8640000);
}

TEST_CASE("what cannot be replayed is refused") {
  const Record brief = recorded(100, 1, 100, [](int) { return 0; });
  CHECK(draw_starts(brief, shape, 10, 1).error().message.find("too short") != std::string::npos);
  const Record empty = recorded(7200, 1, 0, [](int) { return 0; });
  guard::Config config;
  config.slos = {{.name = "checkout", .sources = {{}}}};
  CHECK(with_terms(config, empty).error().message.find("no event at all") != std::string::npos);
  const Record thin = recorded(7200, 100, 1, [](int) { return 0; });
  const auto refused = replay(thin, config_for(thin, 1e-6), shape, day0 + 1000s);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().blame == Blame::refused);
}

TEST_CASE("Clopper-Pearson intervals, against values known from tables") {
  CHECK(share_interval(0, 1000).low == 0);
  CHECK(share_interval(0, 1000).high == doctest::Approx(0.003682).epsilon(0.001));
  CHECK(share_interval(5, 100).low == doctest::Approx(0.016432).epsilon(0.001));
  CHECK(share_interval(5, 100).high == doctest::Approx(0.112835).epsilon(0.001));
  CHECK(share_interval(10, 10).low == doctest::Approx(0.691503).epsilon(0.001));
  CHECK(share_interval(10, 10).high == 1);
  CHECK(share_interval(0, 0).high == 1);
}
