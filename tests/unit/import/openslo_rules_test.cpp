// OpenSLO v1's published rules as tables of what is accepted and what is refused: the cases of the README and of the SDK's own validation
// tests (go-sdk ae145da), written anew as changes of one sound document of each kind.
#include "experiments/import/import.hpp"

#include <doctest/doctest.h>

#include <vector>

using namespace arashi;
using namespace arashi::import;

namespace {

const std::string slo = R"(apiVersion: openslo/v1
kind: SLO
metadata:
  name: web
  displayName: Web
  labels: {team: [a, b], env: prod}
  annotations: {my-org.com/owner: me}
spec:
  description: words
  service: shop
  indicator:
    metadata: {name: ok}
    spec:
      ratioMetric:
        counter: true
        good: {metricSource: {type: Prometheus, spec: {query: sum(good)}}}
        total: {metricSource: {metricSourceRef: prom, type: Prometheus, spec: {query: sum(all)}}}
  timeWindow:
    - {duration: 4w, isRolling: true}
  budgetingMethod: Timeslices
  objectives:
    - {displayName: Good, target: 0.99, timeSliceTarget: 0.95, timeSliceWindow: 1m}
  alertPolicies:
    - {alertPolicyRef: page}
)";
const std::string sli = R"(apiVersion: openslo/v1
kind: SLI
metadata: {name: ok}
spec:
  ratioMetric:
    rawType: success
    raw: {metricSource: {metricSourceRef: prom, type: Prometheus, spec: {query: ratio}}}
)";
const std::string source = R"(apiVersion: openslo/v1
kind: DataSource
metadata: {name: prom}
spec:
  description: words
  type: Prometheus
  connectionDetails: [{url: 'http://p'}]
)";
const std::string service = "apiVersion: openslo/v1\nkind: Service\nmetadata: {name: shop}\nspec: {description: words}\n";
const std::string policy = R"(apiVersion: openslo/v1
kind: AlertPolicy
metadata: {name: page}
spec:
  alertWhenNoData: true
  alertWhenResolved: false
  alertWhenBreaching: true
  conditions:
    - kind: AlertCondition
      metadata: {name: quick}
      spec: {severity: page, condition: {kind: burnrate, op: gt, threshold: 2, lookbackWindow: 1h, alertAfter: 0m}}
  notificationTargets:
    - targetRef: mail
    - kind: AlertNotificationTarget
      metadata: {name: chat}
      spec: {target: slack}
)";
const std::string condition = R"(apiVersion: openslo/v1
kind: AlertCondition
metadata: {name: quick}
spec:
  severity: page
  condition: {kind: burnrate, op: gt, threshold: 2.5, lookbackWindow: 1h, alertAfter: 5m}
)";
const std::string target = R"(apiVersion: openslo/v1
kind: AlertNotificationTarget
metadata: {name: mail}
spec:
  description: words
  target: email
)";

// Breaches only: not what can't be evaluated, nor that there is no SLO.
std::string breaches(const std::string& text) {
  std::string told;
  for (const auto& problem : import::import(text, Strictness::strict).problems)
    if (problem.message.find("the guard needs counts") == std::string::npos &&
        problem.message.find("no count of events") == std::string::npos && problem.message.find("composite SLO") == std::string::npos &&
        problem.message.find("there is no SLI") == std::string::npos)
      told += spec::to_text("f", problem) + "\n";
  return told;
}

struct Change {
  const std::string& of;
  std::string from, to;
  std::string says;  // a part of what is said; empty: accepted
};

void check(const std::vector<Change>& changes) {
  for (const Change& each : changes) {
    std::string text = each.of;
    const auto at = text.find(each.from);
    REQUIRE_MESSAGE(at != std::string::npos, each.from);
    text.replace(at, each.from.size(), each.to);
    INFO(text);
    const std::string told = breaches(text);
    CHECK_MESSAGE(told.empty() == each.says.empty(), told);
    CHECK_MESSAGE(told.find(each.says) != std::string::npos, told);
  }
}

std::string many(std::size_t number, const std::string& of = "l") {
  std::string text;
  for (std::size_t i = 0; i < number; ++i) text += of;
  return text;
}

}  // namespace

TEST_CASE("OpenSLO rules: a sound document of every kind is accepted") {
  for (const std::string& each : {slo, sli, source, service, policy, condition, target}) CHECK(breaches(each).empty());
}

TEST_CASE("OpenSLO rules: metadata of every kind") {
  std::vector<Change> changes;
  for (const std::string* of : {&slo, &sli, &source, &service, &policy, &condition, &target}) {
    const std::string own = of->substr(of->find("name: "), of->find_first_of("\n}", of->find("name: ")) - of->find("name: "));
    changes.push_back({*of, own, "name: My Service", "metadata.name: is 'My Service': a DNS label is expected"});
    changes.push_back({*of, own, "name: " + many(63), ""});
    changes.push_back({*of, own, "name: " + many(64), "metadata.name: is"});
    changes.push_back({*of, own, "name: -a", "write 'a'"});
    changes.push_back({*of, own, "name: 7", "which YAML takes for no text: put it into quotes"});
    changes.push_back({*of, own, "name: ''", "metadata.name: is empty"});
    changes.push_back({*of, "apiVersion: openslo/v1", "apiVersion: openslo/v1\nowner: me", "2:1: owner: is no field of OpenSLO v1"});
  }
  check(changes);
  check({
      {slo, "displayName: Web", "displayName: " + many(63, "é"), ""},
      {slo, "displayName: Web", "displayName: " + many(64, "é"), "f:5:16: metadata.displayName: has 64 characters: at most 63"},
      {slo, "  name: web\n", "", "metadata.name: is missing"},
      {slo, "displayName: Web", "title: Web", "metadata.title: is no field of OpenSLO v1"},
      {slo, "displayName: Web", "displayNam: Web", "did you mean 'displayName'"},
      {slo, "displayName: Web", "displayName: a\n  displayName: b", "metadata.displayName: stands there twice"},
      {slo, "labels: {team: [a, b], env: prod}", "labels: [a]", "metadata.labels: must be a mapping, but is a list"},
      {slo, "env: prod", "env: 1", "metadata.labels.env: is '1', which YAML takes for no text"},
      {slo, "env: prod", "env: {a: b}", "metadata.labels.env: must be a text"},
      {slo, "my-org.com/owner: me", "a: [b]", "metadata.annotations.a: must be a text"},
      {service, "kind: Service", "kind: Servise", "f:2:7: kind: is 'Servise': one of DataSource"},
      {service, "kind: Service", "kind: Servise", "did you mean 'Service'?"},
      {service, "metadata: {name: shop}\n", "", "metadata: is missing"},
  });
}

TEST_CASE("OpenSLO rules: keys of labels and annotations") {
  std::vector<Change> changes;
  for (const std::string& key : {many(63), std::string("net_this.that-this"), std::string("net_.-this"), std::string("9net"),
                                 std::string("net9"), std::string("nEt")}) {
    changes.push_back({slo, "env: prod", key + ": [a, '']", ""});
    changes.push_back({slo, "my-org.com/owner: me", key + ": ''", ""});
  }
  for (const std::string& key : {many(64), std::string("net_"), std::string("net."), std::string("net-"), std::string("_net"),
                                 std::string("-net"), std::string(".net")}) {
    changes.push_back({slo, "env: prod", "'" + key + "': a", "is no key"});
    changes.push_back({slo, "my-org.com/owner: me", "'" + key + "': ''", "is no key"});
  }
  const std::string longest = many(3, many(63) + ".") + many(61);  // 253 characters
  for (const std::string& key : {longest + "/" + many(63), std::string("openslo.com/service"), std::string("domain/service"),
                                 std::string("domain.this.org/service.foo"), std::string("my-org.com/spec.indicator.metricSource")})
    changes.push_back({slo, "my-org.com/owner: me", key + ": ''", ""});
  for (const std::string& prefix :
       {many(254), longest + "l", std::string("openslo.com!"), std::string("-openslo.com"), std::string("_openslo.com"),
        std::string(".openslo.com"), std::string("openslo.com."), std::string("openslo.com_"), std::string("openslo.com-"),
        std::string("openslo..this.com"), std::string("openslo.-this.com"), std::string("openslo._this.com"),
        std::string("openslo.this-.com"), std::string("openslo_this.org")})
    changes.push_back({slo, "my-org.com/owner: me", "'" + prefix + "/net': ''", "a prefix that is no DNS subdomain"});
  changes.push_back({slo, "my-org.com/owner: me", "openslo.com/: ''", "is no key"});
  changes.push_back({slo, "my-org.com/owner: me", longest + "/" + many(64) + ": ''", "is no key"});
  check(changes);
}

TEST_CASE("OpenSLO rules: descriptions") {
  std::vector<Change> changes;
  for (const std::string* of : {&slo, &source, &service, &target}) {
    changes.push_back({*of, "description: words", "description: " + many(1050), ""});
    changes.push_back({*of, "description: words", "description: " + many(1051), "spec.description: has 1051 characters: at most 1050"});
  }
  for (const std::string* of : {&sli, &policy, &condition})
    changes.push_back({*of, "spec:\n", "spec:\n  description: " + many(1051) + "\n", "spec.description: has 1051 characters"});
  check(changes);
}

TEST_CASE("OpenSLO rules: DataSource, SLI") {
  const std::string raw = "raw: {metricSource: {metricSourceRef: prom, type: Prometheus, spec: {query: ratio}}}";
  const std::string metric = "{metricSource: {spec: {query: q}}}";
  check({
      {source, "  type: Prometheus\n", "", "spec.type: is missing"},
      {source, "type: Prometheus", "type: ''", "spec.type: is empty"},
      {source, "  connectionDetails: [{url: 'http://p'}]\n", "", "spec.connectionDetails: is missing"},
      {source, "connectionDetails: [{url: 'http://p'}]", "connectionDetails: anything", ""},
      {sli, "  ratioMetric:\n    rawType: success\n    " + raw, "  description: x", "spec: has none of thresholdMetric, ratioMetric"},
      {sli, "  ratioMetric:\n", "  thresholdMetric: " + metric + "\n  ratioMetric:\n", "spec: has thresholdMetric, ratioMetric: only one"},
      {sli, "  ratioMetric:\n    rawType: success\n    " + raw, "  thresholdMetric: " + metric, ""},
      {sli, "  ratioMetric:\n    rawType: success\n    " + raw, "  thresholdMetric: {}", "spec.thresholdMetric.metricSource: is missing"},
      {sli, raw, "", "spec.ratioMetric: has none of total, raw"},
      {sli, raw, raw + "\n    total: " + metric, "spec.ratioMetric: has total, raw: only one"},
      {sli, raw, raw + "\n    good: " + metric, "spec.ratioMetric: has raw, good: only one"},
      {sli, raw, raw + "\n    bad: " + metric, "spec.ratioMetric: has raw, bad: only one"},
      {sli, raw, raw + "\n    good: " + metric + "\n    bad: " + metric, "spec.ratioMetric: has raw, good, bad"},
      {sli, "rawType: success\n    " + raw, "total: " + metric, "spec.ratioMetric: has none of raw, good, bad"},
      {sli, "rawType: success\n    " + raw, "good: " + metric + "\n    bad: " + metric, "spec.ratioMetric: has none of total, raw"},
      {sli, "rawType: success\n    " + raw, "good: " + metric + "\n    total: " + metric, ""},
      {sli, "rawType: success\n    " + raw, "bad: " + metric + "\n    total: " + metric, ""},
      {sli, "rawType: success\n    " + raw, "rawType: success\n    bad: " + metric + "\n    total: " + metric, "rawType: says what a raw"},
      {sli, "rawType: success", "rawType: failure", ""},
      {sli, "rawType: success", "rawType: good", "spec.ratioMetric.rawType: is 'good': one of success, failure"},
      {sli, "    rawType: success\n", "", "spec.ratioMetric.rawType: is missing"},
      {sli, "rawType: success", "rawType: success\n    counter: 'yes'", "spec.ratioMetric.counter: must be true or false"},
      {sli, "{query: ratio}", "{}", "spec.ratioMetric.raw.metricSource.spec: must be a mapping with at least one entry"},
      {sli, ", spec: {query: ratio}", "", "spec.ratioMetric.raw.metricSource.spec: is missing"},
      {sli, "metricSourceRef: prom", "metricSourceRef: my prom", "metricSource.metricSourceRef: is 'my prom': a DNS label"},
      {sli, "metricSourceRef: prom", "ref: prom", "metricSource.ref: is no field of OpenSLO v1"},
  });
}

TEST_CASE("OpenSLO rules: an SLO and its window") {
  const std::string window = "{duration: 4w, isRolling: true}";
  const auto calendar = [](const std::string& start, const std::string& zone, const std::string& more = "") {
    return "{duration: 1M" + more + ", calendar: {startTime: " + start + ", timeZone: " + zone + "}}";
  };
  check({
      {slo, "  service: shop\n", "", "spec.service: is missing"},
      {slo, "service: shop", "service: ''", "spec.service: is empty"},
      {slo, "budgetingMethod: Timeslices", "budgetingMethod: timeslices", "spec.budgetingMethod: is 'timeslices'"},
      {slo, "  budgetingMethod: Timeslices\n", "", "spec.budgetingMethod: is missing"},
      {slo, "budgetingMethod: Timeslices", "budgetingMethod: Occurrences", ""},
      {slo, "budgetingMethod: Timeslices", "budgetingMethod: RatioTimeslices", ""},
      {slo, "  timeWindow:\n    - " + window + "\n", "", "spec.timeWindow: is missing"},
      {slo, "timeWindow:\n    - " + window, "timeWindow: []", "spec.timeWindow: has 0 entries: at least 1"},
      {slo, "    - " + window, "    - " + window + "\n    - " + window, "spec.timeWindow: has"},
      {slo, window, "{isRolling: true}", "spec.timeWindow[0].duration: "},
      {slo, window, "{duration: 4w}", "f:19:7: spec.timeWindow[0]: says neither isRolling: true nor calendar"},
      {slo, window, "{duration: 4w, isRolling: false}", "spec.timeWindow[0]: says neither"},
      {slo, window, "{duration: 4w, isRolling: often}", "spec.timeWindow[0].isRolling: must be true or false"},
  });
  std::vector<Change> windows{
      {slo, window, calendar("2022-01-01 12:00:00", "America/New_York", ", isRolling: true"),
       "spec.timeWindow[0].calendar: can't be there"},
      {slo, window, calendar("2022-01-01 12:00:00", "America/New_Yor"),
       "calendar.timeZone: unknown time zone 'America/New_Yor'; did you mean"},
      {slo, window, calendar("2022-01-01", "UTC"), "calendar.startTime: is '2022-01-01': a date with the time"},
      {slo, window, calendar("2022-13-01 12:00:00", "UTC"), "calendar.startTime: is '2022-13-01 12:00:00'"},
      {slo, window, calendar("2022-01-01 25:00:00", "UTC"), "calendar.startTime: is"},
      {slo, window, calendar("2022-01-01T12:00:00Z", "UTC"), "calendar.startTime: is"},
      {slo, window, "{duration: 1M, calendar: {timeZone: UTC}}", "calendar.startTime: is missing"},
      {slo, window, "{duration: 1M, calendar: {startTime: 2022-01-01 12:00:00}}", "calendar.timeZone: is missing"},
  };
  check(windows);
}

TEST_CASE("OpenSLO rules: durations") {
  std::vector<Change> changes;
  for (const char* good : {"10m", "5h", "2d", "1w", "3M", "1Q", "1Y", "0m"})
    changes.push_back({condition, "lookbackWindow: 1h", std::string("lookbackWindow: ") + good, ""});
  for (const char* bad : {"1", "-1m", "1y", "m", "1invalid", "1 h", "1.5h", "''", "1s", "10mm"})
    changes.push_back({condition, "lookbackWindow: 1h", std::string("lookbackWindow: ") + bad, "spec.condition.lookbackWindow: is '"});
  for (const char* bad : {"1", "1y", "1s"})
    changes.push_back({slo, "timeSliceWindow: 1m", std::string("timeSliceWindow: ") + bad, "spec.objectives[0].timeSliceWindow: is '"});
  check(changes);
}

TEST_CASE("OpenSLO rules: objectives") {
  const std::string good = "target: 0.99";
  const std::string ratio = slo.substr(slo.find("      ratioMetric"), slo.find("  timeWindow") - slo.find("      ratioMetric"));
  const std::string inline_sli = slo.substr(slo.find("  indicator:"), slo.find("  timeWindow") - slo.find("  indicator:"));
  std::string threshold = slo, composite = slo, referred = slo;
  threshold.replace(threshold.find(ratio), ratio.size(), "      thresholdMetric: {metricSource: {spec: {query: q}}}\n");
  threshold.replace(threshold.find(good), good.size(), good + ", op: lt, value: 0.5");
  composite.replace(composite.find(inline_sli), inline_sli.size(), "");
  composite.replace(composite.find(good), good.size(), good + ", indicatorRef: ok, compositeWeight: 2");
  referred.replace(referred.find(inline_sli), inline_sli.size(), "  indicatorRef: ok\n");
  check({
      {slo, good, "target: 0.9999", ""},
      {slo, good, "target: 1.0", "f:22:35: spec.objectives[0].target: is"},
      {slo, good, "target: -0.1", "spec.objectives[0].target: is '-0.1'"},
      {slo, good, "target: '0.99'", "without quotes"},
      {slo, good, "target: .nan", "spec.objectives[0].target: is"},
      {slo, good, "targetPercent: 99.9999", ""},
      {slo, good, "targetPercent: 100", "spec.objectives[0].targetPercent: is"},
      {slo, good, "targetPercent: -0.1", "spec.objectives[0].targetPercent: is '-0.1'"},
      {slo, good, "target: 0.1, targetPercent: 10", "spec.objectives[0]: has target, targetPercent: only one"},
      {slo, good + ", ", "", "spec.objectives[0]: has none of target, targetPercent"},
      {slo, good, good + ", op: gt", "f:22:45: spec.objectives[0].op: is for a thresholdMetric"},
      {slo, good, good + ", value: 1", "spec.objectives[0].value: is for a thresholdMetric"},
      {slo, good, good + ", weight: 1", "spec.objectives[0].weight: is no field of OpenSLO v1"},
      {slo, "timeSliceTarget: 0.95", "timeSliceTarget: 1.0", ""},
      {slo, "timeSliceTarget: 0.95", "timeSliceTarget: 0", "spec.objectives[0].timeSliceTarget: is '0'"},
      {slo, "timeSliceTarget: 0.95", "timeSliceTarget: 1.1", "spec.objectives[0].timeSliceTarget: is '1.1'"},
      {slo, "timeSliceTarget: 0.95, ", "", "spec.objectives[0].timeSliceTarget: is missing"},
      {slo, ", timeSliceWindow: 1m", "", "spec.objectives[0].timeSliceWindow: is missing"},
      {slo, inline_sli, "", "spec: has none of indicator, indicatorRef"},
      {slo, "  indicator:\n", "  indicatorRef: ok\n  indicator:\n", "spec: has indicator, indicatorRef: only one"},
      {slo, "metadata: {name: ok}", "metadata: {name: Ok}", "f:12:22: spec.indicator.metadata.name: is 'Ok'"},
      {slo, "    metadata: {name: ok}\n", "", "spec.indicator.metadata: is missing"},
      {threshold, good, good, ""},
      {threshold, ", op: lt", "", "spec.objectives[0].op: is missing"},
      {threshold, ", value: 0.5", "", "spec.objectives[0].value: is missing"},
      {threshold, "op: lt", "op: lessThan", "spec.objectives[0].op: is 'lessThan': one of lte, gte, lt, gt"},
      {threshold, "op: lt", "op: gte", ""},
      {threshold, "value: 0.5", "value: much", "spec.objectives[0].value: is 'much': a number"},
      {threshold, "    - {displayName: Good",
       "    - {target: 0.9, op: lt, value: 1, timeSliceTarget: 0.9, timeSliceWindow: 1m}\n    - {displayName: Good",
       "spec.objectives: has 2 entries: with a thresholdMetric only one"},
      {referred, "service", "service", ""},
      {referred, good, good + ", op: gt, value: 1", ""},
      {referred, "indicatorRef: ok", "indicatorRef: not ok", "spec.indicatorRef: is 'not ok': a DNS label"},
      {composite, "service", "service", ""},
      {composite, "compositeWeight: 2", "compositeWeight: 999999999999.9999", ""},
      {composite, "compositeWeight: 2", "compositeWeight: 0", "spec.objectives[0].compositeWeight: is '0': a number over 0"},
      {composite, "compositeWeight: 2", "compositeWeight: -2", "spec.objectives[0].compositeWeight: is '-2'"},
      {composite, "    - {displayName: Good", "    - {target: 0.9, timeSliceTarget: 0.9, timeSliceWindow: 1m}\n    - {displayName: Good",
       "spec.objectives[0]: has none of indicator, indicatorRef"},
      {composite, "  service: shop\n", "  service: shop\n  indicatorRef: ok\n", "spec.objectives: have indicators of their own"},
      {composite, "indicatorRef: ok", "indicator: {metadata: {name: ok}, spec: {}}", "spec.objectives[0].indicator.spec: has none of"},
  });
}

TEST_CASE("OpenSLO rules: alert policies, conditions, targets") {
  const std::string inline_policy =
      "{kind: AlertPolicy, metadata: {name: page}, spec: {conditions: [{conditionRef: quick}], notificationTargets: [{targetRef: mail}]}}";
  check({
      {slo, "  alertPolicies:\n    - {alertPolicyRef: page}\n", "", ""},
      {slo, "  alertPolicies:\n    - {alertPolicyRef: page}\n", "  alertPolicies:\n", ""},
      {slo, "{alertPolicyRef: page}", inline_policy, ""},
      {slo, "{alertPolicyRef: page}", "{alertPolicyRef: ''}", "spec.alertPolicies[0].alertPolicyRef: is empty"},
      {slo, "{alertPolicyRef: page}", "{alertPolicyRef: on call}", "spec.alertPolicies[0].alertPolicyRef: is 'on call': a DNS label"},
      {slo, "{alertPolicyRef: page}", "{}", "spec.alertPolicies[0]: has none of alertPolicyRef, spec"},
      {slo, "{alertPolicyRef: page}", "{alertPolicyRef: page, spec: {}}", "spec.alertPolicies[0]: has alertPolicyRef, spec: only one"},
      {slo, "{alertPolicyRef: page}", "{kind: SLO, metadata: {name: a}, spec: {}}",
       "spec.alertPolicies[0].kind: is 'SLO': one of AlertPolicy"},
      {policy, "alertWhenNoData: true", "alertWhenNoData: maybe", "spec.alertWhenNoData: must be true or false"},
      {policy, "  notificationTargets:\n    - targetRef: mail\n", "  notificationTargets: []\n  x:\n",
       "spec.notificationTargets: has 0 entries"},
      {policy, "  conditions:\n", "  conditions:\n    - conditionRef: slow\n", "spec.conditions: has 2 entries: at most 1"},
      {policy, "    - kind: AlertCondition\n", "    - kind: SLO\n", "spec.conditions[0].kind: is 'SLO': one of AlertCondition"},
      {policy, "metadata: {name: quick}", "metadata: {name: Quick}", "spec.conditions[0].metadata.name: is 'Quick'"},
      {policy, "{severity: page, ", "{", "f:11:13: spec.conditions[0].spec.severity: is missing"},
      {policy, "targetRef: mail", "targetRef: my mail", "spec.notificationTargets[0].targetRef: is 'my mail': a DNS label"},
      {policy, "{target: slack}", "{}", "spec.notificationTargets[1].spec.target: is missing"},
      {condition, "  severity: page\n", "", "spec.severity: is missing"},
      {condition, "kind: burnrate, ", "", "spec.condition.kind: is missing"},
      {condition, "kind: burnrate", "kind: burn", "spec.condition.kind: is 'burn': one of burnrate"},
      {condition, "op: gt, ", "", "spec.condition.op: is missing"},
      {condition, "op: gt", "op: over", "spec.condition.op: is 'over': one of lte, gte, lt, gt"},
      {condition, "threshold: 2.5, ", "", "spec.condition.threshold: is missing"},
      {condition, "threshold: 2.5", "threshold: two", "spec.condition.threshold: is 'two': a number"},
      {condition, ", lookbackWindow: 1h", "", "spec.condition.lookbackWindow: is missing"},
      {condition, ", alertAfter: 5m", "", ""},
      {condition, "alertAfter: 5m", "alertAfter: soon", "spec.condition.alertAfter: is 'soon'"},
      {condition, "spec:\n  severity: page\n", "x:\n  severity: page\n", "spec: is missing"},
      {target, "  target: email\n", "", "spec.target: is missing"},
      {target, "target: email", "target: ''", "spec.target: is empty"},
  });
}

TEST_CASE("OpenSLO rules: leniently a breach is only noted, once, and what can be evaluated is") {
  std::string text = slo;
  text.replace(text.find("name: web"), 9, "name: Web");
  text.replace(text.find("timeSliceWindow: 1m"), 19, "timeSliceWindow: 5");
  const Imported lenient = import::import(text);
  CHECK(lenient.problems.empty());
  REQUIRE(lenient.slos.size() == 1);
  CHECK(lenient.slos[0].slice == std::chrono::minutes(5));
  std::string notes;
  for (const auto& note : lenient.notes) notes += spec::to_text("f", note) + "\n";
  CHECK(
      notes ==
      "f:4:9: metadata.name: is 'Web': a DNS label is expected, at most 63 of a-z, 0-9 and -, with - neither first nor last; write 'web'\n"
      "f:22:81: spec.objectives[0].timeSliceWindow: has no unit: minutes are taken\n");
  CHECK(import::import(text, Strictness::strict).slos.empty());
}

TEST_CASE("OpenSLO: each objective of a ratio is an SLO of its own") {
  std::string text = slo;
  text.replace(text.find("  alertPolicies"), text.size(),
               "    - {displayName: As the SLA says, target: 0.9, timeSliceTarget: 0.5, timeSliceWindow: 5m}\n");
  const Imported imported = import::import(text, Strictness::strict);
  REQUIRE(imported.problems.empty());
  REQUIRE(imported.slos.size() == 2);
  CHECK(imported.slos[0].name == "web-good");
  CHECK(imported.slos[0].slice_target == doctest::Approx(0.95));
  CHECK(imported.slos[1].name == "web-as-the-sla-says");
  CHECK(imported.slos[1].objective == doctest::Approx(0.9));
  CHECK(imported.slos[1].bad == imported.slos[0].bad);
  CHECK(pick(text, "f", "web-good"));
}
