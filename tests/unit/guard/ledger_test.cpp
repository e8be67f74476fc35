#include "experiments/guard/ledger.hpp"

#include "experiments/guard/budget.hpp"
#include "injector/core/json.hpp"

#include <doctest/doctest.h>

#include <random>

using namespace arashi;
using namespace arashi::guard;
using namespace std::chrono_literals;

namespace {

constexpr double per_second = 100;

Config config(double objective, Duration window, double budget) {
  Config result;
  result.slos = {{.name = "pay",
                  .objective = objective,
                  .window = window,
                  .sources = {{.window_events = per_second * seconds(window), .rate_most = 2 * per_second}}}};
  result.budget = budget;
  result.length = 10min;
  return result;
}

Config slices(double objective, Duration window, double budget, Duration slice, double target) {
  Config result = config(objective, window, budget);
  result.slos[0].method = Method::timeslices;
  result.slos[0].slice = slice;
  result.slos[0].slice_target = target;
  return result;
}

// The next experiment over the same counts sees what the others have promised themselves, and promises its own.
Promises enter(const std::string& run, Config& config, const std::vector<Promises>& others, const std::string& budget = "pay") {
  SloTerms& slo = config.slos[0];
  slo.promised = promised(others, budget, slo, slo.sources[0]);
  slo.bearable = bearable(others, budget, slo, slo.sources[0], config);
  return promises_of(run, config, {{budget}});
}

double may_spend(const Config& config) { return allowance(config.slos[0], config.slos[0].sources[0], config); }
double in_events(const Config& config) { return may_spend(config) * budget_units(config.slos[0], config.slos[0].sources[0]); }

}  // namespace

TEST_CASE("ledger: a share of a week is less of a month, and the other way round more") {
  auto week = config(0.999, 24h * 7, 0.6), month = config(0.999, 24h * 28, 0.6);
  const auto of_week = enter("week", week, {});
  enter("month", month, {of_week});
  CHECK(month.slos[0].promised == doctest::Approx(0.6 / 4));
  auto other_month = config(0.999, 24h * 28, 0.2), other_week = config(0.999, 24h * 7, 0.6);
  const auto of_month = enter("month", other_month, {});
  CHECK(enter("week", other_week, {of_month}).budgets[0].events == doctest::Approx(0.2 * in_events(config(0.999, 24h * 7, 1))));
  CHECK(other_week.slos[0].promised == doctest::Approx(0.8));
}

TEST_CASE(
    "ledger: a tight objective's promise is little of a loose one's budget, and the loose one takes no more than the tight one bears") {
  auto tight = config(0.9999, 24h * 30, 0.25), loose = config(0.99, 24h * 30, 0.1);
  const auto first = enter("tight", tight, {});
  enter("loose", loose, {first});
  CHECK(loose.slos[0].promised == doctest::Approx(0.0025));
  CHECK(in_events(loose) == doctest::Approx(0.75 * in_events(config(0.9999, 24h * 30, 1))));
  // What is spent or kept of the tight one's budget is not there for anybody.
  auto spent = config(0.9999, 24h * 30, 0.25), again = config(0.99, 24h * 30, 0.1);
  spent.reserve = 0.2;
  spent.slos[0].sources[0].window_bad = 0.4 * in_events(config(0.9999, 24h * 30, 1));
  enter("loose", again, {enter("tight", spent, {})});
  CHECK(in_events(again) == doctest::Approx(0.15 * in_events(config(0.9999, 24h * 30, 1))));
}

TEST_CASE("ledger: who comes last and finds a budget of others full is refused, and told so") {
  auto tight = config(0.9999, 24h * 30, 1), loose = config(0.99, 24h * 30, 0.1);
  enter("loose", loose, {enter("tight", tight, {})});
  const auto made = Guard::make(loose);
  REQUIRE_FALSE(made);
  CHECK(made.error().blame == Blame::refused);
  CHECK(made.error().message.find("one of their SLOs over the same counts has no budget left") != std::string::npos);
}

TEST_CASE("ledger: loads over the same address count their own requests, so their promises are compared by the time everything fails") {
  auto slow = config(0.999, 24h * 30, 0.6), quick = config(0.999, 24h * 30, 0.6);
  for (auto& source : quick.slos[0].sources) source.window_events *= 10;
  const auto first = enter("slow", slow, {});
  enter("quick", quick, {first});
  CHECK(quick.slos[0].promised == doctest::Approx(0.6));
}

TEST_CASE("ledger: time slices of the same kind are compared one by one, others by the time they may take") {
  auto one = slices(0.99, 24h * 30, 0.02, 1min, 0.95), same = one, longer = slices(0.99, 24h * 30, 0.1, 5min, 0.95);
  const auto first = enter("one", one, {});
  enter("same", same, {first});
  CHECK(same.slos[0].promised == doctest::Approx(0.02));
  enter("longer", longer, {first});
  CHECK(longer.slos[0].promised * 0.01 * 30 * 24 * 12 == doctest::Approx(601.0 / 300 + 2));  // of ten minutes, and its two ends
  // Eight slices and a bit may fail as a whole; of the time left 5 % of the events.
  auto events = config(0.999, 24h * 30, 0.5);
  enter("events", events, {first});
  const double outage = 0.02 * 0.01 * 43200 * 60;
  CHECK(outage == doctest::Approx(518.4));
  CHECK(events.slos[0].promised == doctest::Approx((outage + 0.05 * (601 - outage)) * 2 / (0.001 * 86400 * 30)));
}

TEST_CASE("ledger: an SLO of slices thinks every slice bad that an experiment over events touches, but no more than it may spend events") {
  auto events = config(0.9999, 24h * 30, 0.0001), many = config(0.999, 24h * 30, 0.02), mine = slices(0.99, 24h * 30, 0.02, 1min, 0.95);
  const double all = 0.01 * 30 * 24 * 60;
  enter("mine", mine, {enter("few", events, {})});
  CHECK(mine.slos[0].promised * all == doctest::Approx(in_events(events)));
  auto again = slices(0.99, 24h * 30, 0.02, 1min, 0.95);
  enter("mine", again, {enter("many", many, {})});
  CHECK(again.slos[0].promised * all == doctest::Approx(601.0 / 60 + 2));
}

TEST_CASE("ledger: whatever their windows and objectives, and in whatever order they come, no SLO's budget is promised twice") {
  std::mt19937 random(4);
  const auto pick = [&](std::vector<double> list) { return list[random() % list.size()]; };
  int limited = 0;
  for (int round = 0; round < 300; ++round) {
    std::vector<Config> configs;
    std::vector<Promises> promises;
    double together = 0;
    for (int i = 0; i < 4; ++i) {
      Config next = config(pick({0.99, 0.999, 0.9995, 0.9999}), 24h * static_cast<int>(pick({1, 7, 28, 30, 90})), pick({0.02, 0.3, 0.9}));
      const Promises mine = enter(std::to_string(i), next, promises);
      if (may_spend(next) <= 1e-9) continue;  // refused
      limited += may_spend(next) < next.budget ? 1 : 0;
      together += mine.budgets[0].events;
      promises.push_back(mine);
      configs.push_back(next);
    }
    for (const Config& each : configs) CHECK(together <= budget_units(each.slos[0], each.slos[0].sources[0]) * (1 + 1e-6));
  }
  CHECK(limited > 100);
}

TEST_CASE("ledger: of several promises of one run to one budget the largest counts, and of other budgets none") {
  auto small = config(0.999, 24h * 30, 0.1), large = config(0.999, 24h * 30, 0.3), mine = config(0.999, 24h * 30, 0.9);
  auto run = enter("a", small, {});
  run.budgets.push_back(enter("a", large, {}).budgets[0]);
  const SloTerms& slo = mine.slos[0];
  CHECK(promised({run}, "pay", slo, slo.sources[0]) == doctest::Approx(0.3));
  CHECK(promised({run, run}, "pay", slo, slo.sources[0]) == doctest::Approx(0.6));
  CHECK(promised({run}, "shop", slo, slo.sources[0]) == 0);
  CHECK(bearable({run}, "shop", slo, slo.sources[0], mine) == 0.9);
}

TEST_CASE("ledger: a promise is written and read again, and what is not one is refused") {
  auto one = slices(0.99, 24h * 30, 0.02, 1min, 0.95);
  const auto promises = enter("one", one, {});
  const Json json = to_json(promises);
  const auto read = promises_from(json);
  REQUIRE_MESSAGE(read, read.error().message);
  CHECK(to_json(*read) == json);
  const auto refusal = [](const Json& wrong) {
    const auto result = promises_from(wrong);
    return result ? "" : result.error().message;
  };
  Json wrong = json;
  wrong["budgets"][0]["events"] = -1;
  CHECK(refusal(wrong).find("must not be negative") != std::string::npos);
  wrong = json;
  wrong["budgets"][0]["account"]["units"] = 0;
  CHECK(refusal(wrong).find("must be over 0") != std::string::npos);
  wrong = json;
  wrong["budgets"][0]["account"].erase("left");
  CHECK(refusal(wrong).find("left: is missing") != std::string::npos);
  wrong = json;
  wrong["format"] = 3;
  CHECK(refusal(wrong).find("format 3; this one reads 2") != std::string::npos);
}
