// What measures an SLO, as a person writes it, and what is said about each mistake.
#include "experiments/spec/parse.hpp"
#include "experiments/spec/sources/series.hpp"
#include "tests/unit/spec/catalogue.hpp"

#include <doctest/doctest.h>

using namespace arashi;
using namespace std::chrono_literals;

namespace {

spec::Parsed parsed(const std::string& slo) {
  return spec::parse(
      "apiVersion: arashi.dev/v1\nkind: Experiment\nmetadata: {name: e}\nspec:\n  timeline: []\n  slos:\n    s: " + slo + "\n",
      test::catalogue());
}

template <class Source>
Source source_of(const std::string& text) {
  const auto read = parsed(text);
  for (const auto& problem : read.problems) FAIL_CHECK(to_text("f", problem));
  REQUIRE(read.experiment.slos.size() == 1);
  const auto* source = std::get_if<Source>(&read.experiment.slos[0].measures.at(0).source);
  REQUIRE(source != nullptr);
  CHECK(spec::usual_lag(read.experiment.slos[0].measures.at(0).source) > 0s);
  return *source;
}

std::string problems_of(const std::string& text) {
  std::string all;
  for (const auto& problem : parsed(text).problems) all += to_text("f", problem) + "\n";
  return all;
}

}  // namespace

TEST_CASE("every kind of source is read, with its defaults") {
  const auto metrics = source_of<spec::MetricsSource>(
      "{objective: 99.9%, latency: 300ms, metrics: {targets: ['http://a/metrics', 'http://b/metrics'], control: ['http://c/metrics'], "
      "histogram: 'h{x=\"y\"}', every: 250ms, token: {file: /t}}}");
  CHECK(metrics.targets.size() == 2);
  CHECK(metrics.control.size() == 1);
  CHECK(metrics.every == 250ms);
  CHECK(metrics.token.file == "/t");
  const auto datadog = source_of<spec::DatadogSource>(
      "{objective: 99.9%, datadog: {url: 'https://api.datadoghq.eu/', bad: 'sum:e{*}.as_count()', total: 'sum:h{*}.as_count()', apiKey: "
      "{command: [pass, dd]}}}");
  CHECK(datadog.url == "https://api.datadoghq.eu");
  CHECK(datadog.api_key.command == std::vector<std::string>{"pass", "dd"});
  CHECK(datadog.api_key.env.empty());
  CHECK(datadog.app_key.env == "DD_APP_KEY");
  CHECK(datadog.interval == 10s);
  const auto mackerel = source_of<spec::MackerelSource>("{objective: 99.9%, mackerel: {service: pay, bad: a.b, total: a.c, lag: 90s}}");
  CHECK(mackerel.service == "pay");
  CHECK(mackerel.lag == 90s);
  const auto cloudwatch = source_of<spec::CloudwatchSource>(
      "{objective: 99.9%, cloudwatch: {region: eu-central-1, bad: {namespace: N, metric: B, dimensions: {L: app/x}}, total: {namespace: N, "
      "metric: T, stat: SampleCount}}}");
  CHECK(cloudwatch.bad.dimensions.at("L") == "app/x");
  CHECK(cloudwatch.total.stat == "SampleCount");
  CHECK(cloudwatch.period == 60s);
  const auto newrelic = source_of<spec::NewrelicSource>(
      "{objective: 99.9%, newrelic: {account: 12345678, from: Transaction, where: \"appName = 'pay'\", bad: error IS true}}");
  CHECK(newrelic.account == "12345678");
  CHECK(newrelic.bad == "error IS true");
  const auto command = source_of<spec::CommandSource>("{objective: 99.9%, command: {run: [./count, pay], every: 2s, values: counters}}");
  CHECK(command.run == std::vector<std::string>{"./count", "pay"});
  CHECK(command.values == "counters");
  const auto log =
      source_of<spec::AccessLogSource>("{objective: 99.9%, latency: 300ms, accessLog: {file: /l, path: /buy, bad: [5xx, 429]}}");
  CHECK(log.bad == std::vector<std::string>{"5xx", "429"});
  const auto thanos = source_of<spec::PrometheusSource>(
      "{objective: 99.9%, prometheus: {url: 'http://p', bad: a, total: b, server: thanos, tenant: t, user: u, password: {env: P}}}");
  CHECK(thanos.server == "thanos");
  CHECK(thanos.password.env == "P");
}

TEST_CASE("a mistake in a source is told with its place and what to write") {
  const std::vector<std::pair<std::string, std::string>> table{
      {"{objective: 99.9%, metrics: {targets: [a:80], total: t, bad: b}}",
       "f:7:46: spec.slos.s.metrics.targets: 'a:80' is not a URL of http or https, such as http://10.0.0.1:8080/metrics\n"},
      {"{objective: 99.9%, metrics: {targets: ['http://a'], control: ['http://a'], total: t, bad: b}}",
       "f:7:69: spec.slos.s.metrics.control: 'http://a' is among the targets as well: a replica is in one group\n"},
      {"{objective: 99.9%, metrics: {targets: ['http://a'], total: 'sum(t)', bad: b}}",
       "f:7:67: spec.slos.s.metrics.total: selector 'sum(t)': '(t)': no function or sum belongs here, every series that fits is read and "
       "added up\n"},
      {"{objective: 99.9%, metrics: {targets: ['http://a'], total: t}}",
       "f:7:36: spec.slos.s.metrics: needs 'total' and one of 'bad' and 'good' (counters), or 'histogram' and the SLO's 'latency'\n"},
      {"{objective: 99.9%, metrics: {targets: ['http://a'], histogram: h}}",
       "f:7:8: spec.slos.s: has a histogram and no 'latency': from which duration on is a request bad, such as latency: 300ms\n"},
      {"{objective: 99.9%, metrics: {targets: ['http://a'], total: t, bad: b, every: 10ms}}",
       "f:7:85: spec.slos.s.metrics.every: is 10ms: at least 100ms is needed\n"},
      {"{objective: 99.9%, latency: 1s, metrics: {targets: ['http://a'], total: t, bad: b}}",
       "f:7:36: spec.slos.s.latency: needs metrics.histogram: counters say nothing about durations\n"},
      {"{objective: 99.9%, datadog: {bad: 'avg:e{*}', total: 'sum:h{*} by {host}.as_count()', apiKey: 0123456789}}",
       "f:7:42: spec.slos.s.datadog.bad: 'avg:' gives one host's share and not the count of all: write sum:\n"
       "f:7:42: spec.slos.s.datadog.bad: is no count: write sum:METRIC{TAGS}.as_count()\n"
       "f:7:61: spec.slos.s.datadog.total: 'by {…}' gives several series where one is wanted: take it away\n"
       "f:7:102: spec.slos.s.datadog.apiKey: is a plain value, a mapping is expected: where a secret is kept: {env: NAME}, {file: PATH} or "
       "{command: [program]}; never the secret itself\n"},
      {"{objective: 99.9%, mackerel: {bad: a, total: b}}",
       "f:7:37: spec.slos.s.mackerel: needs one of 'service' and 'host': whose metrics they are\n"},
      {"{objective: 99.9%, cloudwatch: {region: r, period: 7s, bad: {namespace: n, metric: m, stat: Average}, total: {namespace: n, "
       "metric: "
       "m}}}",
       "f:7:59: spec.slos.s.cloudwatch.period: is 7s: 1s, 5s, 10s, 30s or whole minutes\n"
       "f:7:100: spec.slos.s.cloudwatch.bad.stat: is 'Average'; known are Sum, SampleCount\n"},
      {"{objective: 99.9%, newrelic: {account: acme, from: T, bad: b, interval: 1500ms, lagg: 3s}}",
       "f:7:47: spec.slos.s.newrelic.account: 'acme' is not an account's number, such as 12345678\n"
       "f:7:80: spec.slos.s.newrelic.interval: is 1.5s: whole seconds are needed\n"
       "f:7:88: spec.slos.s.newrelic.lagg: unknown key 'lagg'; did you mean 'lag'?\n"},
      {"{objective: 99.9%, command: {run: [x], values: counter}}",
       "f:7:55: spec.slos.s.command.values: is 'counter'; did you mean 'counters'?\n"},
      {"{objective: 99.9%, latency: 1s, accessLog: {file: /l, format: '$request $status', bad: [6xx]}}",
       "f:7:36: spec.slos.s.latency: needs $request_time in accessLog.format: this log says nothing about durations\n"
       "f:7:95: spec.slos.s.accessLog.bad: '6xx' is not a status such as 503, or a class such as 5xx\n"},
      {"{objective: 99.9%, prometheus: {url: 'http://p', bad: a, total: b, tenant: t, token: {}, headers: {Authorization: Bearer x}}}",
       "f:7:83: spec.slos.s.prometheus.tenant: is for server: mimir or server: thanos, prometheus has no tenants\n"
       "f:7:93: spec.slos.s.prometheus.token: needs one of env, file and command: where the secret is kept, such as {file: "
       "/run/secrets/api-key}\n"
       "f:7:106: spec.slos.s.prometheus.headers: 'Authorization' is a secret, and the spec is copied into every run's folder; write token: "
       "{env: NAME} or token: {file: PATH}\n"},
      {"{objective: 99.9%, metrics: {targets: ['http://a'], total: t, bad: b}, command: {run: [x]}}",
       "f:7:8: spec.slos.s: has both 'metrics' and 'command': one of them measures it\n"},
      {"{objective: 99.9%, latency: 1s, datadog: {bad: 'sum:e{*}.as_count()', total: 'sum:h{*}.as_count()'}}",
       "f:7:36: spec.slos.s.latency: is not known to datadog: only a load, metrics.histogram and accessLog see each request's duration; "
       "put "
       "it into what 'bad' counts\n"},
  };
  for (const auto& [text, problems] : table) CHECK(problems_of(text) == problems);
}

TEST_CASE("several sources of one SLO: each with what belongs to it, and who decides") {
  const auto read = spec::parse(
      "apiVersion: arashi.dev/v1\nkind: Experiment\nmetadata: {name: e}\nspec:\n  timeline: []\n"
      "  load: {pay: {url: 'http://x/', rate: 50/s}}\n  slos:\n    s:\n      objective: 99.9%\n      sources:\n"
      "        - {load: pay, latency: 300ms}\n        - {prometheus: {url: 'http://p', bad: a, total: b}, rate: 20/s, authoritative: "
      "false}\n"
      "        - {prometheus: {url: 'http://q', bad: a, total: b}, authoritative: true}\n        - {from: pay.yaml, server: 'http://r'}\n",
      test::catalogue(), [](const std::string&) -> Result<spec::ImportedSlo> {
        return spec::ImportedSlo{.objective = 0.95, .window = 7 * 24h, .bad = "c", .total = "d", .url = {}};
      });
  for (const auto& problem : read.problems) FAIL_CHECK(to_text("f", problem));
  REQUIRE(read.experiment.slos.size() == 1);
  const spec::Slo& slo = read.experiment.slos[0];
  CHECK(slo.objective == doctest::Approx(0.999));  // the spec's, not the file's
  CHECK(slo.window == 7 * 24h);                    // the file's, for the spec has none
  REQUIRE(slo.measures.size() == 4);
  CHECK(slo.measures[0].load == "pay");
  CHECK(slo.measures[0].latency == 300ms);
  CHECK(slo.measures[0].authoritative);
  CHECK_FALSE(slo.measures[1].authoritative);
  CHECK(slo.measures[1].rate.per_second == 20);
  CHECK(slo.measures[1].latency == 0s);
  CHECK(std::get<spec::PrometheusSource>(slo.measures[3].source).url == "http://r");
  CHECK(spec::names_of_measures(slo) == std::vector<std::string>{"load pay", "prometheus 2", "prometheus 3", "prometheus 4"});
}

TEST_CASE("a mistake among several sources is told with its place") {
  const std::string one = "{prometheus: {url: 'http://p', bad: a, total: b}}";
  const std::string mute = "{prometheus: {url: 'http://p', bad: a, total: b}, authoritative: false}";
  const std::vector<std::pair<std::string, std::string>> table{
      {"{objective: 99.9%, sources: []}", "f:7:36: spec.slos.s.sources: is empty: nothing measures the SLO\n"},
      {"{objective: 99.9%, sources: {load: a}}",
       "f:7:36: spec.slos.s.sources: is a mapping, a list is expected, each with '- ' in front\n"},
      {"{objective: 99.9%, latency: 1s, sources: [" + one + "]}",
       "f:7:36: spec.slos.s.latency: and 'sources' exclude each other: move it into the source that it is for\n"},
      {"{objective: 99.9%, sources: [" + one + ", {load: nothing}]}",
       "f:7:95: spec.slos.s.sources[1].load: there is no load 'nothing'; none is declared\n"},
      {"{objective: 99.9%, sources: [" + mute + ", " + mute + "]}",
       "f:7:36: spec.slos.s.sources: has no authoritative source: take 'authoritative: false' from the one whose budget counts\n"},
      {"{objective: 99.9%, sources: [{prometheus: {url: 'http://p', bad: a, total: b}, authoritative: maybe}]}",
       "f:7:102: spec.slos.s.sources[0].authoritative: is 'maybe': write true or false\n"},
      {"{objective: 99.9%, sources: [" + one + ", {command: {run: [x]}, latency: 1s, prometheus: {url: 'http://p', bad: a, total: b}}]}",
       "f:7:88: spec.slos.s.sources[1]: has both 'prometheus' and 'command': one of them measures it\n"
       "f:7:119: spec.slos.s.sources[1].latency: is not known to command: only a load, metrics.histogram and accessLog see each request's "
       "duration; put it into what 'bad' counts\n"},
      {"{sources: [" + one + "]}",
       "f:7:8: spec.slos.s: 'objective' is missing: the share of events that must be good, such as objective: 99.9%\n"},
      {"{objective: 99.9%, countLost: control, sources: [" + one + "]}",
       "f:7:38: spec.slos.s.countLost: is control, but what measures this SLO knows no control group; give metrics.control, or write true "
       "to compare with the rate before\n"},
      {"{objective: 99.9%, sources: [" + one + ", {}]}",
       "f:7:88: spec.slos.s.sources[1]: has no source that measures it: 'load' (the name of a load) or one of prometheus, metrics, "
       "datadog, "
       "mackerel, cloudwatch, newrelic, command, accessLog is needed\n"},
  };
  for (const auto& [text, problems] : table) CHECK(problems_of(text) == problems);
}

TEST_CASE("one load measures an SLO once: the same events are no second evidence") {
  const auto read = spec::parse(
      "apiVersion: arashi.dev/v1\nkind: Experiment\nmetadata: {name: e}\nspec:\n  timeline: []\n"
      "  load: {pay: {url: 'http://x/', rate: 50/s}}\n  slos: {s: {objective: 99.9%, sources: [{load: pay}, {load: pay}]}}\n",
      test::catalogue());
  REQUIRE(read.problems.size() == 1);
  CHECK(to_text("f", read.problems[0]) ==
        "f:7:62: spec.slos.s.sources[1].load: load 'pay' measures this SLO already: the same events are evidence once");
}

namespace {

bool fits(const std::string& selector, std::vector<spec::Label> labels) {
  const auto parsed = spec::parse_series(selector);
  REQUIRE_MESSAGE(parsed, parsed.error().message);
  return parsed->matches(labels);
}

}  // namespace

TEST_CASE("a selector is PromQL's: matchers are anchored, and a label that is not there is empty") {
  CHECK(spec::parse_series("m:x")->name == "m:x");
  CHECK(fits("m:x", {{"a", "1"}}));
  CHECK(fits(R"(m:x{a="1"})", {{"a", "1"}}));
  CHECK_FALSE(fits(R"(m:x{a="1"})", {}));
  CHECK(fits(R"(m:x { a = "" , } )", {}));
  CHECK(fits(R"(m:x{a!="1"})", {}));
  CHECK(fits(R"(m:x{code=~"5.."})", {{"code", "503"}}));
  CHECK_FALSE(fits(R"(m:x{code=~"5"})", {{"code", "503"}}));
  CHECK_FALSE(fits(R"(m:x{code=~"5.."})", {{"code", "5034"}}));
  CHECK(fits(R"(m:x{code!~"5..",a='b"c'})", {{"code", "200"}, {"a", "b\"c"}}));
  CHECK(fits(R"({__name__="m:x",a=`\d`})", {{"a", R"(\d)"}}));
  CHECK(fits(R"(m:x{a="\\\"\n"})", {{"a", "\\\"\n"}}));
}

TEST_CASE("regular expressions are those of Prometheus, and a label of any length and kind is no burden to them") {
  CHECK(fits(R"(m{a=~"(?i)buy"})", {{"a", "BUY"}}));
  CHECK(fits(R"(m{a=~"a.b"})", {{"a", "a\nb"}}));
  CHECK(spec::parse_series(R"(m{a=~"(.)\\1"})").error().message.find("regular") != std::string::npos);  // no back references
  CHECK(fits(R"(m{a=~"/buy.*"})", {{"a", "/buy" + std::string(1'000'000, 'x')}}));
  CHECK_FALSE(fits(R"(m{a=~"(x+x+)+y"})", {{"a", std::string(1'000, 'x')}}));
  CHECK_FALSE(fits(R"(m{a=~"é."})", {{"a", "\xc3"}}));
}

TEST_CASE("what is no selector is refused with a reason") {
  const std::vector<std::pair<std::string, std::string>> table{
      {"", "name is missing"},
      {"{a=\"b\"}", "name is missing"},
      {"m{a}", "needs =, !=, =~ or !~"},
      {"m{a=b}", "needs quotes"},
      {"m{a=\"b}", "is not closed"},
      {"m{a=\"b\"", "is not closed"},
      {"m[5m]", "no range"},
      {"rate(m[5m])", "no function"},
      {"m{a=~\"(\"}", "regular"},
      {R"(m{a="b" c="d"})", "separated by"},
      {"m offset 5m", "not expected"},
      {"5m", "not a metric's name"},
      {"m{", "is not closed"},
      {R"(m{a="\d"})", "backslash"},
      {"m{,}", "not expected"},
  };
  for (const auto& each : table) {
    const auto& text = each.first;
    const auto& word = each.second;
    const auto parsed = spec::parse_series(text);
    CAPTURE(text);
    REQUIRE_FALSE(parsed);
    CHECK_MESSAGE(parsed.error().message.find(word) != std::string::npos, parsed.error().message);
    CHECK(parsed.error().blame == Blame::input);
  }
}
