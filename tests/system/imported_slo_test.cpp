// The same SLO as Sloth, OpenSLO and Pyrra write it and by hand, over one real Prometheus that scrapes two replicas which the test plays:
// all must count what the replicas served.
#include "experiments/http_client.hpp"
#include "experiments/import/import.hpp"
#include "experiments/sli/prometheus/prometheus.hpp"
#include "tests/support/child.hpp"
#include "tests/support/http_server.hpp"
#include "tests/support/namespaces.hpp"

#include <doctest/doctest.h>

#include <array>
#include <fstream>
#include <mutex>
#include <optional>

using namespace arashi;
using namespace std::chrono_literals;
using testing::Answered;
using testing::Asked;
using testing::HttpServer;

namespace {

// Every failed request was slow as well, so that the latency SLO counts the same. A code's series is there once it has occurred.
class Replica {
 public:
  Replica() : server_([this](const Asked&) { return page(); }) {}
  void serve(int good, int bad) {
    const std::lock_guard lock(mutex_);
    good_ += good;
    bad_ += bad;
  }
  void restart() {
    const std::lock_guard lock(mutex_);
    good_ = bad_ = 0;
  }
  [[nodiscard]] int port() const { return server_.port(); }

 private:
  Answered page() {
    const std::lock_guard lock(mutex_);
    const auto line = [](const std::string& series, int value) { return series + " " + std::to_string(value) + "\n"; };
    std::string text;
    if (good_ > 0) text += line("requests_total{code=\"200\"}", good_);
    if (bad_ > 0) text += line("requests_total{code=\"500\"}", bad_);
    text += line("seconds_bucket{le=\"0.3\"}", good_) + line("seconds_bucket{le=\"+Inf\"}", good_ + bad_);
    text += line("seconds_count", good_ + bad_);
    return {.body = text, .headers = "Content-Type: text/plain; version=0.0.4\r\n"};
  }
  std::mutex mutex_;
  int good_ = 0, bad_ = 0;
  HttpServer server_;
};

struct Way {
  std::string name, text;  // of the file; empty: by hand
};

const std::array<Way, 6> ways{{
    {"by hand", ""},
    {"Sloth", R"(version: prometheus/v1
service: shop
slos:
  - name: buy
    objective: 99.9
    sli:
      events:
        error_query: sum(rate(requests_total{code=~"5.."}[{{.window}}]))
        total_query: sum(rate(requests_total[{{.window}}]))
)"},
    {"OpenSLO, bad", R"(apiVersion: openslo/v1
kind: SLO
metadata: {name: buy}
spec:
  service: shop
  indicator:
    metadata: {name: bad}
    spec:
      ratioMetric:
        counter: true
        bad: {metricSource: {type: Prometheus, spec: {query: 'sum(requests_total{code=~"5.."})'}}}
        total: {metricSource: {type: Prometheus, spec: {query: sum(requests_total)}}}
  timeWindow: [{duration: 30d, isRolling: true}]
  budgetingMethod: Occurrences
  objectives: [{target: 0.999}]
)"},
    {"OpenSLO, good", R"(apiVersion: openslo/v1
kind: SLO
metadata: {name: buy}
spec:
  service: shop
  indicator:
    metadata: {name: good}
    spec:
      ratioMetric:
        counter: true
        good: {metricSource: {type: Prometheus, spec: {query: 'sum(requests_total{code!~"5.."})'}}}
        total: {metricSource: {type: Prometheus, spec: {query: sum(requests_total)}}}
  timeWindow: [{duration: 30d, isRolling: true}]
  budgetingMethod: Occurrences
  objectives: [{target: 0.999}]
)"},
    {"Pyrra, ratio", R"(apiVersion: pyrra.dev/v1alpha1
kind: ServiceLevelObjective
metadata: {name: buy}
spec:
  target: "99.9"
  window: 30d
  indicator:
    ratio:
      errors: {metric: 'requests_total{code=~"5.."}'}
      total: {metric: requests_total}
)"},
    {"Pyrra, latency", R"(apiVersion: pyrra.dev/v1alpha1
kind: ServiceLevelObjective
metadata: {name: buy}
spec:
  target: "99.9"
  window: 30d
  indicator:
    latency:
      success: {metric: 'seconds_bucket{le="0.3"}'}
      total: {metric: seconds_count}
)"},
}};

// One way of reading it, and what it has counted so far.
struct Reader {
  std::string name;
  std::unique_ptr<sli::Source> source;
  std::uint64_t total = 0, bad = 0;
  bool begun = false, sound = true;
  std::string problem;

  void look() {
    for (const auto& slice : source->drain()) {
      total += slice.total;
      bad += slice.bad;
      if (begun && slice.state != guard::Freshness::fresh) sound = false;
      if (slice.state == guard::Freshness::fresh) begun = true;
      problem = slice.problem;
    }
  }
};

class Scene {
 public:
  Scene() : port_(testing::free_port()) {
    std::ofstream(directory_.path() / "prometheus.yml")
        << "global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n  - job_name: shop\n    static_configs: [{targets: ["
        << "'127.0.0.1:" << replicas[0].port() << "', '127.0.0.1:" << replicas[1].port() << "']}]\n";
    child_ = testing::spawn({.argv = {"prometheus", "--config.file=" + (directory_.path() / "prometheus.yml").string(),
                                      "--storage.tsdb.path=" + (directory_.path() / "data").string(),
                                      "--web.listen-address=127.0.0.1:" + std::to_string(port_), "--log.level=error"}});
  }

  // Once it has samples of both replicas: a series that is seen later is taken for a new one.
  void begin() {
    HttpClient client;
    const std::string query = "http://127.0.0.1:" + std::to_string(port_) + "/api/v1/query?query=count(requests_total)";
    const auto both = [&] {
      const auto reply = client.send({.url = query});
      return reply && reply->body.find("\"2\"]") != std::string::npos;
    };
    REQUIRE(testing::eventually(both, 30s));
    for (const Way& way : ways) readers.push_back({.name = way.name, .source = open(way)});
    REQUIRE(all([](Reader& reader) { return reader.begun; }));
    for (const Reader& each : readers) CHECK(each.total == 0);
  }

  bool all(const std::function<bool(Reader&)>& wanted) {
    return testing::eventually(
        [&] {
          bool yes = true;
          for (Reader& each : readers) yes = (each.look(), wanted(each)) && yes;
          return yes;
        },
        30s);
  }
  void check(std::uint64_t total, std::uint64_t bad) {
    all([&](Reader& reader) { return reader.total >= total && reader.bad >= bad; });
    for (const Reader& each : readers) {
      CAPTURE(each.name);
      CAPTURE(each.problem);
      CHECK(each.total == total);
      CHECK(each.bad == bad);
      CHECK(each.sound);
    }
  }

  std::array<Replica, 2> replicas;
  std::vector<Reader> readers;

 private:
  std::unique_ptr<sli::Source> open(const Way& way) const {
    spec::PrometheusSource source{.url = "http://127.0.0.1:" + std::to_string(port_),
                                  .bad = "sum(requests_total{code=~\"5..\"})",
                                  .total = "sum(requests_total)",
                                  .every = 200ms,
                                  .scrape = 1s};
    if (!way.text.empty()) {
      const auto imported = import::pick(way.text, way.name, "");
      REQUIRE_MESSAGE(imported, imported.error().message);
      CHECK(imported->objective == doctest::Approx(0.999));
      CHECK(imported->window == 720h);
      source.bad = imported->bad;
      source.total = imported->total;
    }
    auto opened = sli::prometheus(source, {}, boot_now());
    REQUIRE_MESSAGE(opened, opened.error().message);
    return std::move(*opened);
  }

  testing::Directory directory_;  // outlives the child
  int port_;
  std::optional<Child> child_;
};

}  // namespace

TEST_CASE("imported SLOs, live: Sloth, OpenSLO and Pyrra count what the same SLO by hand counts, also over restarts and late series") {
  Scene scene;
  auto& [first, second] = scene.replicas;
  first.serve(1000, 0);
  second.serve(1000, 0);
  scene.begin();
  first.serve(90, 10);  // the first errors ever
  second.serve(100, 0);
  scene.check(200, 10);
  first.restart();  // and from now on nothing goes well there: it has no series of good requests at all
  first.serve(0, 7);
  second.serve(50, 0);
  scene.check(257, 17);
  first.serve(5, 0);
  second.restart();
  second.serve(40, 2);
  scene.check(304, 19);
}
