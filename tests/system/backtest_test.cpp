// `arashi backtest` as typed: over counts on standard input, and over what a real Prometheus remembers (filled by promtool).
#include "injector/core/json.hpp"
#include "tests/support/child.hpp"
#include "tests/support/http_server.hpp"
#include "tests/support/namespaces.hpp"

#include <doctest/doctest.h>
#include <test_paths.hpp>

#include <fstream>
#include <functional>

namespace arashi::testing {

namespace {

using namespace std::chrono_literals;

constexpr int day0 = 1'760'000'000;
constexpr int outage = 3600, outage_end = 3900, length = 7200;  // seconds of the history

const std::string timeline = R"(  targets: {me: {node: {}}}
  timeline: [{at: 0s, for: 60s, fault: command.run, on: me, with: {command: 'true', undo: 'true'}}]
  steadyState: {for: 10s}
  recovery: {within: 30s}
)";
const std::string head = "apiVersion: arashi.dev/v1\nkind: Experiment\nmetadata: {name: past}\nspec:\n";

std::string load_spec() {
  return head + "  slos: {checkout: {objective: 99.9%, load: shop}}\n  load: {shop: {url: 'http://127.0.0.1:1/', rate: 100/s}}\n" +
         timeline;
}

std::string prometheus_spec(int port) {
  return head + "  slos:\n    checkout:\n      objective: 99.9%\n      prometheus: {url: 'http://127.0.0.1:" + std::to_string(port) +
         "', bad: sum(errors_total), total: sum(requests_total), scrape: 5s}\n" + timeline;
}

std::string written(const Directory& directory, const std::string& name, const std::string& text) {
  auto file = (directory.path() / name).string();
  std::ofstream(file) << text;
  return file;
}

std::string lines() {
  std::string text;
  for (int t = 1; t <= length; ++t) {
    const bool out = t > outage && t <= outage_end;
    text += "{\"t\":" + std::to_string(day0 + t) + ",\"good\":" + (out ? "0" : "100") + ",\"bad\":" + (out ? "100" : "0") + "}\n";
  }
  return text;
}

// The same, as counters of two pods that were scraped every 5 s; the second one starts anew in the middle.
std::string openmetrics() {
  std::string requests = "# TYPE requests counter\n", errors = "# TYPE errors counter\n";
  const auto add = [](std::string& to, const std::string& name, double value, int t) {
    to.append(name).append(" ").append(std::to_string(value)).append(" ").append(std::to_string(day0 + t)).append("\n");
  };
  for (const char* pod : {"a", "b"}) {
    const std::string labels = std::string("{pod=\"") + pod + "\"}";
    double total = 750, bad = 0;
    for (int t = 0; t <= length; t += 5) {
      total = pod[0] == 'b' && t == 1800 ? 250 : total + 250;
      bad += t > outage && t <= outage_end ? 250 : 0;
      add(requests, "requests_total" + labels, total, t);
      if (bad > 0) add(errors, "errors_total" + labels, bad, t);
    }
  }
  return requests + errors + "# EOF\n";
}

Ran backtest(const std::string& words, Duration limit = 60s) { return run({"/bin/sh", "-c", BIN_DIR "/arashi backtest " + words}, limit); }

Json json_of(const Ran& ran) {
  INFO(ran.output);
  REQUIRE(ran.exit_code == 0);
  auto json = parse_json(ran.output);
  REQUIRE_MESSAGE(json, json.error().message);
  return std::move(json).value();
}

class Remembering {  // a Prometheus with a past
 public:
  Remembering() : port_(free_port()) {
    const auto file = written(directory_, "past.txt", openmetrics());
    written(directory_, "prometheus.yml", "global: {scrape_interval: 1m}\n");
    const auto data = (directory_.path() / "data").string();
    const Ran filled = run({"promtool", "tsdb", "create-blocks-from", "openmetrics", file, data}, 30s);
    REQUIRE_MESSAGE(filled.exit_code == 0, filled.output);
    child_.emplace(spawn(
        {.argv = {"prometheus", "--config.file=" + (directory_.path() / "prometheus.yml").string(), "--storage.tsdb.path=" + data,
                  "--storage.tsdb.retention.time=100y", "--web.listen-address=127.0.0.1:" + std::to_string(port_), "--log.level=error"}}));
    REQUIRE(eventually([&] { return run({"curl", "--silent", "--fail", "--noproxy", "*", url() + "/-/ready"}).exit_code == 0; }, 30s));
  }
  [[nodiscard]] int port() const { return port_; }
  [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }

 private:
  Directory directory_;
  int port_;
  std::optional<Child> child_;
};

}  // namespace

TEST_CASE("backtest: counts on standard input, told to people and to machines") {
  const Directory directory;
  const auto spec = written(directory, "spec.yaml", load_spec()), record = written(directory, "counts.jsonl", lines());
  const Json json = json_of(backtest(spec + " --json --starts 400 < " + record));
  CHECK(json["record"]["slos"][0]["total"] == length * 100);
  CHECK(json["record"]["slos"][0]["bad"] == (outage_end - outage) * 100);
  CHECK(json["starts"]["asked"] == 400);
  CHECK(json["aborted"]["count"].get<int>() > 0);
  CHECK(json["missed"] == 0);
  REQUIRE(json["incidents"].size() == 1);
  CHECK(json["incidents"][0]["reason"]["slo"] == "checkout");

  const Ran text = backtest(spec + " --from " + record);
  CHECK(text.exit_code == 0);
  CHECK(text.output.find("1000 random starts") != std::string::npos);
  CHECK(text.output.find("false aborts") != std::string::npos);
  CHECK(text.output.find("2025-10-09T") != std::string::npos);
  CHECK(text.output.find('\r') == std::string::npos);  // progress is for terminals

  const Ran bad = backtest(spec + " --from " + written(directory, "bad.jsonl", lines() + "{\"t\":5,\"good\":1,\"bad\":0}\n"));
  CHECK(bad.exit_code == 2);
  CHECK(bad.output.find("bad.jsonl: line 7201, column 2: t: is 1970-01-01T00:00:05Z, not after line 7200's") != std::string::npos);
  CHECK(backtest(spec + " < /dev/null").output.find("not one line of counts") != std::string::npos);
  CHECK(backtest(spec + " --from /nonexistent").exit_code == 2);
  CHECK(backtest(spec + " --from " + directory.path().string()).output.find("is a directory") != std::string::npos);
  CHECK(backtest(spec + " --prometheus").output.find("not measured by Prometheus") != std::string::npos);
  CHECK(backtest(spec + " --from " + record + " --at 2020-01-01T00:00:00Z").exit_code == 3);
  CHECK(backtest(spec + " --from " + record + " --last 1m").output.find("too short") != std::string::npos);
}

TEST_CASE("backtest: the example's incident is found, and only that") {
  const Json json = json_of(backtest(SOURCE_DIR "/examples/held.yaml --json --starts 1000 --from " SOURCE_DIR "/examples/counts.jsonl"));
  CHECK(json["aborted"]["count"].get<int>() > 0);
  CHECK(json["incidents"].size() == 1);
  CHECK(json["missed"] == 0);
}

TEST_CASE("backtest: a real Prometheus' past, with an error series born late and a restarted pod, gives what the counts give") {
  const Directory directory;
  const Remembering prometheus;
  const auto spec = written(directory, "spec.yaml", prometheus_spec(prometheus.port()));
  const std::string past = " --last 2h --until " + std::to_string(day0 + length);
  const Json json = json_of(backtest(spec + past + " --json --starts 300"));
  CHECK(json["record"]["slos"][0]["total"] == length * 100);
  CHECK(json["record"]["slos"][0]["bad"] == (outage_end - outage) * 100);
  CHECK(json["record"]["slos"][0]["gaps"] == 0);
  CHECK(json["missed"] == 0);

  const std::string at = " --at " + std::to_string(day0 + outage - 10);
  const Json live = json_of(backtest(spec + past + at + " --json"));
  const Json counts = json_of(
      backtest(written(directory, "load.yaml", load_spec()) + at + " --json --from " + written(directory, "counts.jsonl", lines())));
  REQUIRE(live["abortAfter"].is_number());
  REQUIRE(counts["abortAfter"].is_number());
  CHECK(live["limitCrossed"] == true);
  // The last scrape before the planned end is known a second too late: one of sixteen.
  CHECK(live["slos"][0]["unstopped"].get<double>() == doctest::Approx(counts["slos"][0]["unstopped"].get<double>()).epsilon(0.07));
  // The e-process bets once a slice: what four seconds of an outage show takes four scrapes of 5 s, and a poll.
  CHECK(live["abortAfter"].get<double>() <= 10 + 4 * 5 + 1);
  CHECK(counts["abortAfter"].get<double>() <= 10 + 4);

  const Ran text = backtest(spec + past + at);
  CHECK(text.exit_code == 0);
  CHECK(text.output.find("aborted after") != std::string::npos);
  const Ran nothing = backtest(spec + " --last 2h");  // the last two hours until now
  CHECK(nothing.exit_code == 3);
  CHECK(nothing.output.find("no two samples of 'sum(requests_total)'") != std::string::npos);
}

}  // namespace arashi::testing
