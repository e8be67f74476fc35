#include "experiments/report/report.hpp"

#include "experiments/run/result.hpp"
#include "injector/core/json.hpp"

#include <doctest/doctest.h>

using namespace arashi;
using namespace std::chrono_literals;

namespace {

run::RunResult aborted_run() {
  run::RunResult result;
  result.run = "k3v9x0qa";
  result.experiment = "checkout";
  result.hypothesis = "It holds </script><b>always</b>";
  result.started = "2026-11-22T10:00:00.000Z";
  result.outcome = run::Outcome::refuted;
  result.reasons = {"checkout has spent 2.1 % of its budget & more"};
  result.times = {.first_injection = 10s, .first_bad = 11s, .decision = 13s, .last_revert = 13100ms, .recovered = 15s};
  run::FaultResult fault{
      .id = "aaaaaaaa", .fault = "network.impair", .target = "ledger", .victim = "netns l", .agent = "local", .mechanism = "tap"};
  fault.active_at = 10s;
  fault.step = Step::reverted;
  fault.evidence = {.in_place = true,
                    .bit = true,
                    .seen = 10,
                    .affected = 5,
                    .values = {{"delay", "ns", 5e7, 50.1e6, ""}, {"loss", "fraction", 0.01, std::nullopt, ""}}};
  result.faults = {fault};
  result.checks = {{"money", "after", false, 16s, 10ms, "sum is 1 short"}};
  guard::Verdict verdict{.at = 13s, .abort = true};
  verdict.reasons = {{"checkout", guard::Layer::cap, 0.021, 0.02, "checkout has spent too much"}};
  verdict.slos = {{.name = "checkout", .total = 100, .bad = 40, .budget_spent = 0.021}};
  result.abort = verdict;
  result.verdicts = {verdict};
  result.slos = verdict.slos;
  result.states = {{run::State::checking, 0s}, {run::State::done, 17s}};
  return result;
}

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("a result that was written is read again, a damaged one is refused with the place") {
  const auto json = run::to_json(aborted_run());
  const auto read = report::read(to_text(json));
  REQUIRE_MESSAGE(read.has_value(), (read ? "" : read.error().message));
  CHECK(*read == json);
  auto damaged = json;
  damaged["faults"][0]["evidence"].erase("values");
  CHECK(contains(report::read(to_text(damaged)).error().message, "result.faults[0].evidence lacks \"values\""));
  damaged = json;
  damaged["times"]["decision"] = "soon";
  CHECK(contains(report::read(to_text(damaged)).error().message, "result.times.decision is not of type"));
  CHECK(contains(report::read("{}").error().message, "no result of a run"));
  CHECK_FALSE(report::read("{").has_value());
}

TEST_CASE("the page carries its data and needs nothing else") {
  const auto page = report::html(run::to_json(aborted_run()));
  CHECK(contains(page, "new uPlot("));
  CHECK(contains(page, "uPlot=function"));
  CHECK_FALSE(contains(page, "</script><b>always"));
  CHECK(contains(page, "\\u003c/script>\\u003cb>always"));
  for (const char* outside : {"src=\"http", "href=\"http", "url(http", "@import", "fetch("}) CHECK_FALSE(contains(page, outside));
}

TEST_CASE("JUnit has a case for the verdict, each SLO, check and fault, with what failed") {
  const auto xml = report::junit(run::to_json(aborted_run()));
  CHECK(contains(xml, "tests=\"4\" failures=\"3\""));
  CHECK(contains(xml, "name=\"It holds &lt;/script&gt;&lt;b&gt;always&lt;/b&gt;\""));
  CHECK(contains(xml, "checkout has spent 2.1 % of its budget &amp; more"));
  CHECK(contains(xml, "<failure message=\"check failed\">sum is 1 short</failure>"));
  CHECK(contains(xml, "name=\"network.impair on netns l\" time=\"0.0\"/>"));
}

TEST_CASE("the closing summary tells verdict, times and what was achieved") {
  const auto text = report::terminal(run::to_json(aborted_run()), false);
  CHECK(contains(text, "REFUTED  checkout"));
  CHECK(contains(text, "abort decision      +13.000 s   (2.000 s later)"));
  CHECK(contains(text, "delay: requested 50 ms, achieved 50.1 ms"));
  CHECK(contains(text, "loss: requested 1%, achieved unknown"));
  CHECK(contains(text, "40 of 100 requests bad, error budget used 2.1%"));
  CHECK(contains(text, "check money (after): FAILED sum is 1 short"));
}

TEST_CASE("a fault that was never active is told as such, not as one that did not bite") {
  auto result = aborted_run();
  result.faults[0].active_at.reset();
  result.faults[0].step = Step::intended;
  result.faults[0].evidence = {};
  const auto json = run::to_json(result);
  CHECK(contains(report::terminal(json, false), "network.impair on netns l: not injected\n"));
  CHECK_FALSE(contains(report::terminal(json, false), "no effect observed"));
  CHECK(contains(report::junit(json), "<failure message=\"not injected\">"));
}

TEST_CASE("what can't be undone is over at its end, and not reverted") {
  auto json = run::to_json(aborted_run());
  CHECK(contains(report::terminal(json, false), "network.impair on netns l: reverted\n"));
  json["plan"]["injections"] = Json::array({Json{{"reversible", false}}});
  CHECK(contains(report::terminal(json, false), "network.impair on netns l: ended (cannot be reverted)\n"));
  json["plan"]["injections"] = "damaged";
  CHECK(contains(report::terminal(json, false), "network.impair on netns l: reverted\n"));
}
