// What each format says and how it is understood: tables of what is taken and what is refused, by the formats' published rules.
#include "experiments/import/import.hpp"

#include "experiments/sli/prometheus/promql.hpp"
#include "experiments/spec/document/tree.hpp"

#include <doctest/doctest.h>

#include <regex>

using namespace arashi;
using namespace arashi::import;
using namespace std::chrono_literals;

namespace {

std::string told(const Imported& imported) {
  std::string text;
  for (const auto& problem : imported.problems) text += spec::to_text("f", problem) + "\n";
  return text;
}

const std::string sli = R"(    ratioMetric:
      counter: true
      good: {metricSource: {type: Prometheus, spec: {query: 'sum(http_requests{code!~"5.."})'}}}
      total: {metricSource: {type: Prometheus, spec: {query: sum(http_requests)}}}
)";
std::string openslo(const std::string& more, const std::string& window = "  timeWindow: [{duration: 28d, isRolling: true}]\n",
                    const std::string& ratio = sli) {
  return "apiVersion: openslo/v1\nkind: SLO\nmetadata: {name: checkout}\nspec:\n  service: shop\n  indicator:\n   metadata: {name: ok}\n   "
         "spec:\n" +
         ratio + window + more;
}
std::string calendar(const std::string& duration, const std::string& start, const std::string& zone) {
  return "  timeWindow: [{duration: " + duration + ", calendar: {startTime: " + start + ", timeZone: " + zone + "}}]\n";
}
const std::string objective = "  budgetingMethod: Occurrences\n  objectives: [{target: 0.999}]\n";

std::string sloth(const std::string& sli_text, const std::string& percent = "99.9") {
  return "version: prometheus/v1\nservice: shop\nslos:\n  - name: checkout\n    objective: " + percent + "\n    sli: " + sli_text + "\n";
}
std::string pyrra(const std::string& indicator, const std::string& target = "'99.5'", const std::string& window = "4w") {
  return "apiVersion: pyrra.dev/v1alpha1\nkind: ServiceLevelObjective\nmetadata: {name: checkout}\nspec:\n  target: " + target +
         "\n  window: " + window + "\n  indicator: " + indicator + "\n";
}
const std::string events =
    R"({events: {error_query: 'sum(rate(http{code=~"5.."}[{{.window}}]))', total_query: 'sum(rate(http[{{ .window }}]))'}})";

}  // namespace

TEST_CASE("queries: rates over the template's window become counters, and nothing else is guessed") {
  struct Case {
    std::string promql, counters;  // empty: refused
    bool plain = false;
  };
  for (const auto& each : std::vector<Case>{
           {"sum(rate(http{code=~\"5..\"}[{{.window}}]))", "sum(http{code=~\"5..\"})"},
           {" sum ( increase( http [ {{ .window }} ] ) ) ", "sum(http)"},
           {"rate(http{a=\"]})\"}[{{.window}}])", "http{a=\"]})\"}"},
           {"sum(rate(a[{{.window}}])) - sum(rate(b{le=\"0.3\"}[{{.window}}]))", "sum(a) - sum(b{le=\"0.3\"})"},
           {"(sum(rate(a[{{.window}}])) or vector(0)) + sum(rate(b[{{.window}}]))", "(sum(a)) + sum(b)"},
           {"sum(rate({__name__=\"a\"}[{{.window}}]))", "sum({__name__=\"a\"})"},
           {"sum(http)", "sum(http)", true},
           {"http{a='}'}", "http{a='}'}", true},
           {"sum(http)", ""},
           {"sum(rate(http[5m]))", ""},
           {"sum(rate(http[5m]))", "", true},
           {"sum by (job) (rate(http[{{.window}}]))", ""},
           {"sum(rate(http[{{.window}}])) by (job)", ""},
           {"sum(rate(a[{{.window}}])) / sum(rate(b[{{.window}}]))", ""},
           {"2 * sum(rate(a[{{.window}}]))", ""},
           {"max(rate(a[{{.window}}]))", ""},
           {"histogram_quantile(0.9, rate(a[{{.window}}]))", ""},
           {"irate(a[{{.window}}])", ""},
           {"sum(rate(a[{{.window}}] offset 5m))", ""},
           {"sum(rate(a{job=\"x\"[{{.window}}]))", ""},
           {"sum(rate({{.metric}}[{{.window}}]))", ""},
           {"sum(rate(a[{{.window}}])) or sum(rate(b[{{.window}}]))", ""},
           {"sum(rate(a[{{.window}}])) OR on() vector(0)", "sum(a)"},
           {"sum(rate(a[{{.window}}])) or on(job) vector(0)", ""},
           {"sum(rate(inf[{{.window}}]))", ""},
           {"sum(rate(a{b***=\"c\"}[{{.window}}]))", ""},
           {"INF", "", true},
           {"", ""},
           {std::string(200, '('), ""},
       }) {
    const auto made = counters_of(each.promql, each.plain);
    INFO(each.promql);
    CHECK(bool(made) == !each.counters.empty());
    if (made) CHECK(*made == each.counters);
    if (made) CHECK(sli::analyse(*made));  // our Prometheus source reads it
  }
}

TEST_CASE("OpenSLO v1: a ratio of counters, inline or by reference, with its data source") {
  const Imported imported = import::import(openslo(objective), Strictness::strict);
  REQUIRE_MESSAGE(imported.slos.size() == 1, told(imported));
  CHECK(imported.slos[0].name == "checkout");
  CHECK(imported.slos[0].objective == 0.999);
  CHECK(imported.slos[0].window == 28 * 24h);
  CHECK(imported.slos[0].total == "sum(http_requests)");
  CHECK(imported.slos[0].bad == R"(sum(http_requests) - (sum(http_requests{code!~"5.."})))");

  const std::string parts =
      "apiVersion: openslo/v1\nkind: DataSource\nmetadata: {name: prom}\nspec: {type: Prometheus, connectionDetails: {url: "
      "'http://p:9090'}}\n"
      "---\napiVersion: openslo/v1\nkind: SLI\nmetadata: {name: errors}\nspec:\n  ratioMetric:\n    counter: true\n"
      "    bad: {metricSource: {metricSourceRef: prom, spec: {query: sum(bad)}}}\n    total: {metricSource: {metricSourceRef: prom, spec: "
      "{query: "
      "sum(all)}}}\n---\n"
      "apiVersion: openslo/v1\nkind: SLO\nmetadata: {name: checkout}\nspec:\n  service: shop\n  indicatorRef: errors\n"
      "  timeWindow: [{duration: 1M, isRolling: true}]\n  budgetingMethod: Occurrences\n  objectives: [{targetPercent: 99.5}]\n";
  const Imported referred = import::import(parts, Strictness::strict);
  REQUIRE_MESSAGE(referred.slos.size() == 1, told(referred));
  CHECK(referred.slos[0].url == "http://p:9090");
  CHECK(referred.slos[0].bad == "sum(bad)");
  CHECK(referred.slos[0].window == 30 * 24h);  // M is months, m minutes
  CHECK(referred.slos[0].objective == 0.995);
}

TEST_CASE("OpenSLO v1: what is refused, by name and place, strictly and leniently") {
  struct Case {
    std::string text, strict, lenient;  // part of what is said; empty: taken
  };
  const std::string with_op = "  budgetingMethod: Occurrences\n  objectives: [{target: 0.999, op: gt, value: 1}]\n";
  const std::string minutes = "  timeWindow: [{duration: 1m, isRolling: true}]\n";
  for (const auto& each : std::vector<Case>{
           {openslo(with_op), "f:15:36: spec.objectives[0].op: is for a threshold", ""},
           {openslo(objective, ""), "spec.timeWindow: is missing", ""},
           {openslo("  objectives: [{target: 0.9}]\n"), "budgetingMethod: is missing", ""},
           {openslo(objective, minutes), "", ""},  // one minute, though a published example means a month
           {openslo(objective, "  timeWindow: [{duration: 0d, isRolling: true}]\n"), "duration: must be", "duration: must be"},
           {openslo(objective, "  timeWindow: [{duration: 1y, isRolling: true}]\n"), "duration: is '1y'", "duration: must be"},
           {openslo(objective, "  timeWindow: [{duration: 1M, calendar: {timeZone: UTC}}]\n"), "calendar.startTime: is missing",
            "f:13:41: spec.timeWindow[0].calendar.startTime: is missing"},
           {openslo(objective, calendar("1M", "2022-01-01 12:00:00", "America/New_York")), "", ""},
           {openslo(objective, calendar("1M, isRolling: false", "2022-01-01 12:00:00", "UTC")), "", ""},
           {openslo(objective, calendar("1M", "2022-01-01", "UTC")), "startTime: is '2022-01-01'", ""},
           {openslo(objective, calendar("1M", "2022-02-30 00:00:00", "UTC")), "startTime: is '2022-02-30", "startTime: is '2022-02-30"},
           {openslo(objective, calendar("1M", "2022-01-01 12:00:00", "America/New_Yor")), "did you mean 'America/New_York'",
            "f:13:84: spec.timeWindow[0].calendar.timeZone: unknown time zone 'America/New_Yor'; did you mean 'America/New_York'?"},
           {openslo(objective, calendar("1h", "2022-01-01 12:00:00", "UTC")), "a calendar window is a whole number of d",
            "timeWindow[0].duration: is '1h': a calendar window is a whole number of d"},
           {openslo(objective, calendar("1M, isRolling: true", "2022-01-01 12:00:00", "UTC")), "can't be there with isRolling: true",
            "can't be there with isRolling: true"},
           {openslo(objective, "  timeWindow: [{duration: 1M, isRolling: false}]\n"), "says neither isRolling: true nor calendar",
            "says neither isRolling: true nor calendar"},
           {openslo("  budgetingMethod: Timeslices\n  objectives: [{target: 0.99}]\n"), "timeSliceWindow: is missing",
            "timeSliceTarget: is missing"},
           {openslo("  budgetingMethod: Timeslices\n  objectives: [{target: 0.99, timeSliceTarget: 0, timeSliceWindow: 1m}]\n"),
            "more than 0 and at most 1", "more than 0 and at most 1"},
           {openslo("  budgetingMethod: Timeslices\n  objectives: [{target: 0.99, timeSliceTarget: 1.1, timeSliceWindow: 1m}]\n"),
            "more than 0 and at most 1", "more than 0 and at most 1"},
           {openslo("  budgetingMethod: Timeslices\n  objectives: [{target: 0.99, timeSliceTarget: 1.0, timeSliceWindow: 1y}]\n"),
            "timeSliceWindow: is '1y'", "timeSliceWindow: must be"},
           {openslo("  budgetingMethod: Timeslices\n  objectives: [{target: 0.99, timeSliceTarget: 0x1p-1, timeSliceWindow: 1m}]\n"),
            "more than 0 and at most 1", "is '0x1p-1': more than 0 and at most 1"},
           {openslo("  budgetingMethod: Timeslices\n  objectives: [{target: 0.99, timeSliceTarget: ' 0.5', timeSliceWindow: 1m}]\n"),
            "more than 0 and at most 1", "is ' 0.5': more than 0 and at most 1"},
           {openslo("  budgetingMethod: RatioTimeslices\n  objectives: [{target: 0.99}]\n"), "timeSliceWindow: is missing",
            "timeSliceWindow: is missing"},
           {openslo("  budgetingMethod: RatioTimeslices\n  objectives: [{target: 0.99, timeSliceWindow: 5m}]\n"), "", ""},
           {openslo("  budgetingMethod: Timeslices\n  objectives: [{target: 0.99, timeSliceTarget: 0.95, timeSliceWindow: 1m}]\n"), "", ""},
           {openslo("  budgetingMethod: Ratio\n  objectives: [{target: 0.99}]\n"), "one of Occurrences", "known are Occurrences"},
           {openslo("  budgetingMethod: Occurrences\n  objectives: [{target: 1}]\n"), "a number from 0 to below 1", "leaves no budget"},
           {openslo("  budgetingMethod: Occurrences\n  objectives: [{target: 99.9}]\n"), "a number from 0 to below 1",
            "a number from 0 to 1"},
           {openslo("  budgetingMethod: Occurrences\n  objectives: [{target: 0.9, targetPercent: 90}]\n"),
            "has target, targetPercent: only one", "exactly one of"},
           {openslo("  budgetingMethod: Occurrences\n  objectives: []\n"), "has 0 entries: at least 1", "which share must be good"},
           {openslo("  budgetingMethod: Occurrences\n  objectives: [{target: 0.9, indicatorRef: a}]\n"), "have indicators of their own",
            "composite SLO"},
           {openslo(objective, minutes, "    thresholdMetric: {metricSource: {}}\n"), "no count of events", "no count of events"},
           {openslo(objective, minutes, "    ratioMetric: {raw: {}, rawType: success}\n"), "is a ratio (success)", "is a ratio (success)"},
           {openslo(objective, minutes, "    ratioMetric: {total: {}}\n"), "has none of raw, good, bad", "one of good and bad"},
           {openslo(objective, minutes, "    ratioMetric: {bad: {metricSource: {type: Datadog, spec: {q: 1}}}, total: {}}\n"),
            "is 'Datadog': only Prometheus", "is 'Datadog': only Prometheus"},
           {"apiVersion: sloth.slok.dev/v1\nkind: AlertWindows\nspec: {sloPeriod: 7d}\n", "f:2:7: kind: is 'AlertWindows' and no SLO",
            "only PrometheusServiceLevel"},
           {"apiVersion: openslo/v1alpha\nkind: SLO\n", "f:1:13: apiVersion: is 'openslo/v1alpha'", "only openslo/v1"},
           {"apiVersion: openslo/v1\nkind: SLOO\nmetadata: {name: a}\n", "f:2:7: kind: is 'SLOO'", "did you mean 'SLO'"},
       }) {
    INFO(each.text);
    for (const auto strictness : {Strictness::strict, Strictness::lenient}) {
      const std::string& says = strictness == Strictness::strict ? each.strict : each.lenient;
      const Imported imported = import::import(each.text, strictness);
      CHECK(imported.problems.empty() == says.empty());
      CHECK_MESSAGE(told(imported).find(says) != std::string::npos, told(imported));
      CHECK(imported.slos.empty() == !says.empty());
    }
  }
}

TEST_CASE("OpenSLO v1: a calendar window is the spec's own") {
  const Imported imported = import::import(openslo(objective, calendar("1Q", "2022-01-01 12:00:00", "America/New_York")));
  REQUIRE_MESSAGE(imported.slos.size() == 1, told(imported));
  REQUIRE(imported.slos[0].calendar);
  CHECK(spec::length_text(*imported.slos[0].calendar) == "1Q");
  const std::string text = to_spec(imported.slos, "http://p");
  CHECK(text.find("\n    calendar: {duration: 1Q, start: '2022-01-01 12:00:00', timezone: 'America/New_York'}\n") != std::string::npos);
  const auto parsed = spec::parse("apiVersion: arashi.dev/v1\nkind: Experiment\nmetadata: {name: a}\nspec:\n  timeline: []\n  " +
                                      std::regex_replace(text, std::regex("\n(?=.)"), "\n  "),
                                  {});
  CHECK_MESSAGE(parsed.problems.empty(), parsed.problems.front().message);
  CHECK(parsed.experiment.slos.at(0).calendar.value().start == imported.slos[0].calendar->start);
  CHECK(parsed.experiment.slos.at(0).calendar.value().timezone == "America/New_York");
}

TEST_CASE("OpenSLO v1: time slices are the guard's own") {
  const Imported slices = import::import(
      openslo("  budgetingMethod: Timeslices\n  objectives: [{target: 0.99, timeSliceTarget: 0.95, timeSliceWindow: 5m}]\n"));
  REQUIRE_MESSAGE(slices.slos.size() == 1, told(slices));
  CHECK(slices.slos[0].method == spec::Method::timeslices);
  CHECK(slices.slos[0].slice == 5min);
  CHECK(slices.slos[0].slice_target == doctest::Approx(0.95));
  CHECK(to_spec(slices.slos, "http://p").find("method: timeslices\n    slice: {target: 95%, window: 5m}\n") != std::string::npos);
  const auto parsed = spec::parse(
      "apiVersion: arashi.dev/v1\nkind: Experiment\nmetadata: {name: a}\nspec:\n  timeline: []\n  guard: {budget: 10%}\n"
      "  slos: {s: {from: f, server: 'http://p:9090'}}\n",
      {}, [&](const std::string& from) {
        return pick(openslo("  budgetingMethod: Timeslices\n  objectives: [{target: 0.99, timeSliceTarget: 0.95, timeSliceWindow: 5m}]\n"),
                    from, "");
      });
  for (const auto& problem : parsed.problems) FAIL_CHECK(spec::to_text("f", problem));
  REQUIRE(parsed.experiment.slos.size() == 1);
  CHECK(parsed.experiment.slos[0].method == spec::Method::timeslices);
  CHECK(parsed.experiment.slos[0].slice == 5min);
  CHECK(parsed.experiment.slos[0].slice_target == doctest::Approx(0.95));
}

TEST_CASE("Sloth: both forms, and what is refused") {
  const Imported plain = import::import(sloth(events));
  REQUIRE_MESSAGE(plain.slos.size() == 1, told(plain));
  CHECK(plain.slos[0].name == "shop-checkout");
  CHECK(plain.slos[0].objective == doctest::Approx(0.999));
  CHECK(plain.slos[0].bad == R"(sum(http{code=~"5.."}))");
  CHECK(plain.slos[0].total == "sum(http)");
  const Imported resource = import::import(
      "apiVersion: sloth.slok.dev/v1\nkind: PrometheusServiceLevel\nmetadata: {name: x}\nspec:\n  service: shop\n  slos:\n    - name: a\n"
      "      objective: 99\n      sli: {events: {errorQuery: 'sum(rate(e[{{.window}}]))', totalQuery: 'sum(rate(t[{{.window}}]))'}}\n");
  REQUIRE_MESSAGE(resource.slos.size() == 1, told(resource));
  CHECK(resource.slos[0].bad == "sum(e)");

  struct Case {
    std::string text, says;
  };
  for (const auto& each : std::vector<Case>{
           {sloth("{raw: {error_ratio_query: x}}"), "f:6:10: slos[0].sli.raw: is a ratio"},
           {sloth("{plugin: {id: x}}"), "slos[0].sli.plugin: is a program of Sloth's own"},
           {sloth("{raw: {error_ratio_query: x}, plugin: {id: x}}"), "exactly one of events, raw and plugin"},
           {sloth("{}"), "exactly one of events, raw and plugin"},
           {sloth("{events: {error_query: x, total_query: y}}"), "error_query: can't be evaluated"},
           {sloth("{events: {total_query: y}}"), "error_query: is missing"},
           {sloth(events, "100"), "leaves no budget"},
           {sloth(events, "0"), "nothing to hold"},
           {sloth(events, "101"), "a number from 0 to 100"},
           {sloth(events, "most"), "a number from 0 to 100"},
           {"version: prometheus/v1\nservice: shop\n", "slos: is missing"},
           {"version: prometheus/v1\nslos: []\n", "service: is missing"},
       }) {
    const Imported imported = import::import(each.text);
    INFO(each.text);
    CHECK(imported.slos.empty());
    CHECK_MESSAGE(told(imported).find(each.says) != std::string::npos, told(imported));
  }
}

TEST_CASE("Pyrra: ratio and latency, and what is refused") {
  const Imported ratio = import::import(pyrra("{ratio: {errors: {metric: 'http{code=~\"5..\"}'}, total: {metric: http}}}"));
  REQUIRE_MESSAGE(ratio.slos.size() == 1, told(ratio));
  CHECK(ratio.slos[0].objective == doctest::Approx(0.995));
  CHECK(ratio.slos[0].window == 28 * 24h);
  CHECK(ratio.slos[0].bad == R"(sum(http{code=~"5.."}))");
  const Imported latency = import::import(pyrra("{latency: {success: {metric: 't_bucket{le=\"1\"}'}, total: {metric: t_count}}}"));
  REQUIRE_MESSAGE(latency.slos.size() == 1, told(latency));
  CHECK(latency.slos[0].bad == R"(sum(t_count) - sum(t_bucket{le="1"}))");

  const std::string good = "{ratio: {errors: {metric: e}, total: {metric: t}}}";
  struct Case {
    std::string text, says;
  };
  for (const auto& each : std::vector<Case>{
           {pyrra("{ratio: {errors: {metric: e}, total: {metric: t}, grouping: [route]}}"), "one SLO for each 'route'"},
           {pyrra("{latencyNative: {latency: 1s, total: {metric: t}}}"), "is a native histogram"},
           {pyrra("{bool_gauge: {metric: up}}"), "is a gauge"},
           {pyrra("{ratio: {errors: {metric: 'sum(e)'}, total: {metric: t}}}"), "is not a plain selector"},
           {pyrra("{ratio: {errors: {metric: 'rate(e[5m])'}, total: {metric: t}}}"), "is not {{.window}}"},
           {pyrra("{ratio: {total: {metric: t}}}"), "errors.metric: is missing"},
           {pyrra("{}"), "exactly one of ratio"},
           {pyrra(good, "'100'"), "leaves no budget"},
           {pyrra(good, "'x'"), "a number from 0 to 100"},
           {pyrra(good, "'99'", "sometime"), "must be a time such as 4w"},
       }) {
    const Imported imported = import::import(each.text);
    INFO(each.text);
    CHECK(imported.slos.empty());
    CHECK_MESSAGE(told(imported).find(each.says) != std::string::npos, told(imported));
  }
}

TEST_CASE("there and back: what is imported, in our own form, is the same SLO") {
  const Imported imported = import::import(sloth(events));
  REQUIRE(imported.slos.size() == 1);
  const std::string text = "apiVersion: arashi.dev/v1\nkind: Experiment\nmetadata: {name: a}\nspec:\n  timeline: []\n" + std::string("  ") +
                           to_spec(imported.slos, "http://p:9090");
  std::string indented;
  bool inside = false;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = text.find('\n', at) + 1;
    indented += (inside ? "  " : "") + text.substr(at, end - at);
    inside = inside || text.substr(at, end - at).starts_with("  slos:");
    at = end;
  }
  const auto parsed = spec::parse(indented, {});
  REQUIRE_MESSAGE(parsed.problems.empty(), indented);
  const auto& slo = parsed.experiment.slos.at(0);
  const auto& source = std::get<spec::PrometheusSource>(slo.measures.at(0).source);
  CHECK(slo.objective == doctest::Approx(imported.slos[0].objective).epsilon(1e-12));
  CHECK(slo.window == imported.slos[0].window);
  CHECK(source.bad == imported.slos[0].bad);
  CHECK(source.total == imported.slos[0].total);
  CHECK(source.url == "http://p:9090");
}

TEST_CASE("in our own form: texts of several lines, names that are none here, shares close to the ends") {
  const auto back = [](const std::vector<ForeignSlo>& slos) {
    std::string text =
        "apiVersion: arashi.dev/v1\nkind: Experiment\nmetadata: {name: a}\nspec:\n  timeline: []\n  guard: {budget: 50%}\n  ";
    for (const char c : to_spec(slos, "http://p:9090")) text += c == '\n' ? std::string("\n  ") : std::string(1, c);
    const auto parsed = spec::parse(text, {});
    for (const auto& problem : parsed.problems) FAIL_CHECK(spec::to_text(text, problem));
    return parsed.experiment.slos;
  };
  const std::string query = "sum(a{b=\"c\",\n\td='\x01\x7f'})";
  ForeignSlo slo{.name = "Checkout: API / v2 ", .objective = 0.999999999, .bad = query, .total = "sum(a)"};
  const std::string long_name(100, 'a');
  const auto own = back({slo,
                         {.name = "checkout-api-v2", .objective = 0.95000000001, .bad = "a", .total = "b"},
                         {.name = "日本", .objective = 0.95, .bad = "a", .total = "b"},
                         {.name = long_name + "1", .objective = 0.95, .bad = "a", .total = "b"},
                         {.name = long_name + "2", .objective = 0.95, .bad = "a", .total = "b"}});
  REQUIRE(own.size() == 5);
  CHECK(own[0].name == "checkout-api-v2");
  CHECK(own[1].name == "checkout-api-v2-2");
  CHECK(own[2].name == "slo");
  CHECK(own[3].name == std::string(63, 'a'));
  CHECK(own[4].name == std::string(61, 'a') + "-2");
  CHECK(own[0].objective == doctest::Approx(0.999999999).epsilon(1e-12));
  CHECK(own[1].objective == doctest::Approx(0.95000000001).epsilon(1e-12));
  CHECK(std::get<spec::PrometheusSource>(own[0].measures.at(0).source).bad == query);
}

TEST_CASE("what no spec of ours could say is refused, and a file that cannot be read is said to be so") {
  struct Case {
    std::string text, says;
  };
  for (const auto& each : std::vector<Case>{
           {sloth(events, "99.99999999999"), "leaves no budget"},
           {sloth(events, "0.00000000001"), "nothing to hold"},
           {pyrra("{ratio: {errors: {metric: e}, total: {metric: t}}}", "'99'", "100000y"), "must be a time such as 4w"},
           {sloth("{events: {error_query: \"\x01\"}}"), "f:6:34: the byte 0x01 is not text"},
           {"version: prometheus/v1\n\tservice: shop\n", "f:2:1: not YAML"},
       }) {
    const Imported imported = import::import(each.text);
    INFO(each.text);
    CHECK(imported.slos.empty());
    CHECK_MESSAGE(told(imported).find(each.says) != std::string::npos, told(imported));
  }
  CHECK(pick("version: prometheus/v1\n\tservice: shop\n", "f.yaml", "").error().message.find("f.yaml:2:1: not YAML") != std::string::npos);
  const Imported twice = import::import(sloth(events) + "  - name: checkout\n    objective: 99\n    sli: " + events + "\n");
  CHECK(twice.slos.size() == 1);
  CHECK(told(twice).find("f:7:5: is a second SLO named 'shop-checkout'") != std::string::npos);
}

TEST_CASE("a spec's SLO comes from a file, by name where it has several, and what the spec says goes first") {
  const std::string two = sloth(events) + "  - name: search\n    objective: 99\n    sli: " + events + "\n";
  CHECK(pick(two, "f.yaml", "").error().message.find("write f.yaml#NAME; known are shop-checkout, shop-search") != std::string::npos);
  CHECK(pick(two, "f.yaml", "x").error().message.find("no SLO 'x'; known are") != std::string::npos);
  CHECK(pick("kind: x", "f.yaml", "").error().message.find("is not OpenSLO v1, Sloth or Pyrra") != std::string::npos);
  CHECK(pick(sloth("{}"), "f.yaml", "").error().message.find("f.yaml:6:10: slos[0].sli") != std::string::npos);
  REQUIRE(pick(two, "f.yaml", "shop-search"));
  CHECK(pick(two, "f.yaml", "shop-search")->objective == doctest::Approx(0.99));

  const auto parse = [&](const std::string& slo) {
    return spec::parse(
        "apiVersion: arashi.dev/v1\nkind: Experiment\nmetadata: {name: a}\nspec:\n  timeline: []\n  slos: {s: " + slo + "}\n", {},
        [&](const std::string& from) { return pick(two, from, from == "f.yaml" ? "shop-checkout" : ""); });
  };
  const auto parsed = parse("{from: f.yaml, server: 'http://p:9090', window: 7d}");
  REQUIRE(parsed.problems.empty());
  CHECK(parsed.experiment.slos[0].objective == doctest::Approx(0.999));
  CHECK(parsed.experiment.slos[0].window == 7 * 24h);
  CHECK(std::get<spec::PrometheusSource>(parsed.experiment.slos[0].measures.at(0).source).total == "sum(http)");
  REQUIRE(parse("{from: f.yaml}").problems.size() == 1);
  CHECK(parse("{from: f.yaml}").problems[0].message.find("add server") != std::string::npos);
  CHECK(parse("{from: f.yaml, load: l}").problems[0].message.find("both 'from' and another source") != std::string::npos);
}
