#include "experiments/engine/budget_names.hpp"

#include <doctest/doctest.h>

using namespace arashi;
using namespace std::chrono_literals;

namespace {

std::string name(const spec::Source& source, Duration latency = 0s) {
  spec::Experiment experiment;
  experiment.directory = "/srv/game-day";
  spec::Slo slo{.name = "pay", .measures = {{.source = source, .latency = latency}}};
  const auto one = engine::budgets_of(slo, experiment);
  slo.name = "other";
  CHECK(engine::budgets_of(slo, experiment) == one);  // whatever the experiment calls it
  slo.measures[0].authoritative = false;
  CHECK(engine::budgets_of(slo, experiment).empty());
  REQUIRE(one.size() == 1);
  return one[0];
}

std::string of_prometheus(const std::string& url, const std::string& bad, const std::string& total = "sum(all)") {
  return name(spec::PrometheusSource{.url = url, .bad = bad, .total = total});
}

std::string of_load(const std::vector<std::string>& urls) {
  spec::Experiment experiment;
  experiment.loads.push_back({.name = "load"});
  if (urls.size() == 1) experiment.loads[0].url = urls[0];
  for (const auto& url : urls)
    if (urls.size() > 1) experiment.loads[0].requests.push_back({.url = url});
  const spec::Slo slo{.name = "pay", .measures = {{.load = "load"}}};
  return engine::budgets_of(slo, experiment).at(0);
}

}  // namespace

TEST_CASE("budget names: a Prometheus SLO is the same however its queries and its address are written") {
  const std::string one = of_prometheus("http://prom:9090", "sum(all{code=~\"5..\",app='shop'})");
  CHECK(of_prometheus("HTTP://Prom:9090/", "sum(all{code=~\"5..\",app=\"shop\"})") == one);
  CHECK(of_prometheus("http://prom:9090", "  sum ( all{ app = `shop`, code =~ '5..' } ) ") == one);
  CHECK(of_prometheus("http://prom:9090", "sum(all{app=\"shop\",code=~\"5..\"}) or vector(0)") == one);
  CHECK(of_prometheus("http://prom:9090", "all{app=\"shop\",code=~\"5..\"}") == one);
  CHECK(of_prometheus("http://p:80/", "sum(a) - (sum(b))") == of_prometheus("http://p", "sum(a)-sum(b)"));
  CHECK(of_prometheus("https://p:443/x/", "max(a) + 1") == of_prometheus("https://p/x", " max( a )+1"));
  CHECK(of_prometheus("http://prom:9091", "sum(all{code=~\"5..\",app='shop'})") != one);
  CHECK(of_prometheus("http://prom:9090", "sum(all{code=\"5..\",app='shop'})") != one);
  CHECK(of_prometheus("http://prom:9090", "sum(all{code=~\"5..\",app='sh op'})") != one);
  CHECK(of_prometheus("http://prom:9090", "sum(all{code=~\"5..\",app='shop'})", "sum(others)") != one);
  CHECK(of_prometheus("http://p", "sum(a) - sum(b)") != of_prometheus("http://p", "sum(b) - sum(a)"));
  CHECK(of_prometheus("http://p/Path", "a") != of_prometheus("http://p/path", "a"));
}

TEST_CASE("budget names: replicas, logs and loads, by what is counted") {
  const auto metrics = [](std::vector<std::string> targets, std::vector<std::string> control, const std::string& bad) {
    return name(spec::MetricsSource{.targets = std::move(targets), .control = std::move(control), .bad = bad, .total = "all"});
  };
  CHECK(metrics({"http://a/m", "http://b/m"}, {}, "bad{x='y'}") == metrics({"http://b:80/m"}, {"http://A/m"}, "bad{ x=\"y\" }"));
  CHECK(metrics({"http://a/m"}, {}, "bad") != metrics({"http://b/m"}, {}, "bad"));
  const spec::MetricsSource histogram{.targets = {"http://a/m"}, .histogram = "seconds"};
  CHECK(name(histogram, 100ms) != name(histogram, 200ms));
  CHECK(name(spec::AccessLogSource{.file = "../log/a.log"}) == name(spec::AccessLogSource{.file = "/srv/log/a.log"}));
  CHECK(name(spec::AccessLogSource{.file = "a.log"}) != name(spec::AccessLogSource{.file = "a.log", .path = "/pay"}));
  CHECK(name(spec::CommandSource{.run = {"count", "pay"}}) != name(spec::CommandSource{.run = {"count", "shop"}}));
  CHECK(name(spec::DatadogSource{.bad = "sum:b{x}", .total = "sum:t"}) == name(spec::DatadogSource{.bad = "sum: b{x}", .total = "sum:t "}));
  CHECK(of_load({"http://pay/x", "http://pay/y"}) == of_load({"http://pay:80/y", "http://PAY/x"}));
  CHECK(of_load({"http://pay/x", "http://pay/y"}) != of_load({"http://pay/x", "http://pay/z"}));
  CHECK(of_load({"http://pay/"}) == of_load({"http://pay"}));
}
