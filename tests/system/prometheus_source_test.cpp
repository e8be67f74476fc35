// A real Prometheus scrapes an exporter that the test plays.
#include "experiments/engine/guard_terms.hpp"
#include "experiments/sli/prometheus/prometheus.hpp"
#include "tests/support/child.hpp"
#include "tests/support/http_server.hpp"
#include "tests/support/namespaces.hpp"

#include <doctest/doctest.h>

#include <fstream>
#include <mutex>
#include <optional>

using namespace arashi;
using namespace std::chrono_literals;
using testing::Answered;
using testing::Asked;
using testing::HttpServer;

namespace {

constexpr Duration scrape = 1s;

// What the exporter shows; errors appear only once there are some, as many client libraries do it.
class Exporter {
 public:
  Exporter() : server_([this](const Asked&) { return page(); }) {}
  void serve(double good, double bad) {
    const std::lock_guard lock(mutex_);
    total_ += good + bad;
    if (bad > 0) errors_ = errors_.value_or(0) + bad;
  }
  void restart() {
    const std::lock_guard lock(mutex_);
    total_ = 0;
    errors_.reset();
  }
  // From now on the page tells when the process began: `ago` from now.
  void say_start(Duration ago) {
    const std::lock_guard lock(mutex_);
    start_ = seconds(std::chrono::system_clock::now().time_since_epoch() - ago);
  }
  void die() {
    const std::lock_guard lock(mutex_);
    dead_ = true;
  }
  [[nodiscard]] int port() const { return server_.port(); }

 private:
  Answered page() {
    const std::lock_guard lock(mutex_);
    if (dead_) return {.cut = true};
    std::string text = "requests_total{path=\"/buy\"} " + std::to_string(total_) + "\n";
    if (start_ > 0) text += "process_start_time_seconds " + std::to_string(start_) + "\n";
    if (errors_) text += "errors_total{path=\"/buy\"} " + std::to_string(*errors_) + "\n";
    return {.body = text, .headers = "Content-Type: text/plain; version=0.0.4\r\n"};
  }
  std::mutex mutex_;
  double total_ = 0, start_ = 0;
  std::optional<double> errors_;
  bool dead_ = false;
  HttpServer server_;
};

class Prometheus {
 public:
  explicit Prometheus(const Exporter& exporter) : port_(testing::free_port()) {
    std::ofstream(directory_.path() / "prometheus.yml") << "global: {scrape_interval: 1s, scrape_timeout: 1s}\n"
                                                           "scrape_configs:\n"
                                                           "  - job_name: shop\n"
                                                           "    file_sd_configs: [{files: [targets.json], refresh_interval: 1s}]\n";
    find({&exporter});
    child_.emplace(testing::spawn({.argv = {"prometheus", "--config.file=" + (directory_.path() / "prometheus.yml").string(),
                                            "--storage.tsdb.path=" + (directory_.path() / "data").string(),
                                            "--web.listen-address=127.0.0.1:" + std::to_string(port_), "--log.level=error"}}));
  }
  [[nodiscard]] spec::PrometheusSource source() const {
    return {.url = "http://127.0.0.1:" + std::to_string(port_),
            .bad = "sum(errors_total)",
            .total = "sum(requests_total)",
            .every = 200ms,
            .scrape = scrape};
  }
  // From now on it scrapes these.
  void find(const std::vector<const Exporter*>& exporters) const {
    std::string list;
    for (const Exporter* each : exporters) list += (list.empty() ? "\"" : ", \"") + ("127.0.0.1:" + std::to_string(each->port())) + "\"";
    std::ofstream(directory_.path() / "new.json") << "[{\"targets\": [" << list << "]}]\n";
    std::filesystem::rename(directory_.path() / "new.json", directory_.path() / "targets.json");
  }
  void stop() { child_.reset(); }

 private:
  testing::Directory directory_;  // outlives the child
  int port_;
  std::optional<Child> child_;
};

struct Seen {
  std::uint64_t total = 0, bad = 0;
  guard::Freshness state = guard::Freshness::empty;
  Duration newest{}, end{};
  std::string problem;
  std::size_t late_born = 0;
  double unknown = 0;

  bool look(sli::Source& source) {
    bool more = false;
    for (const auto& slice : source.drain()) {
      total += slice.total;
      bad += slice.bad;
      state = slice.state;
      problem = slice.problem;
      if (slice.state == guard::Freshness::late_born) ++late_born;
      unknown += slice.unknown.value_or(0);
      if (!guard::has_counts(slice.state)) continue;
      if (end > Duration::zero()) CHECK(slice.begin == end);  // no gap and no overlap
      end = slice.end;
      newest = slice.newest;
      more = true;
    }
    return more;
  }
};

// Once the server has started and scraped.
Seen first_look(sli::Source& source) {
  Seen seen;
  REQUIRE_MESSAGE(testing::eventually([&] { return seen.look(source); }, 30s), seen.problem);
  return seen;
}

std::unique_ptr<sli::Source> open(const Prometheus& prometheus, Duration epoch) {
  auto source = sli::prometheus(prometheus.source(), {}, epoch);
  REQUIRE_MESSAGE(source, source.error().message);
  return std::move(source).value();
}

}  // namespace

TEST_CASE("real Prometheus: counts, an error series born late, a restart of the target, and its death") {
  Exporter exporter;
  exporter.serve(1000, 0);
  Prometheus prometheus(exporter);
  const Duration epoch = boot_now();
  const auto source = open(prometheus, epoch);
  Seen seen;
  // It is an error while the server starts, then empty until the first scrape, then fresh.
  REQUIRE_MESSAGE(testing::eventually([&] { return seen.look(*source); }, 30s), seen.problem);
  CHECK(seen.total == 0);
  CHECK(boot_now() - epoch - seen.newest < 5s);

  exporter.serve(90, 10);  // the first errors ever
  REQUIRE(testing::eventually([&] { return seen.look(*source) && seen.total == 100; }, 10s));
  CHECK(seen.bad == 10);

  exporter.restart();
  exporter.serve(30, 5);
  REQUIRE(testing::eventually([&] { return seen.look(*source) && seen.total == 135; }, 10s));
  CHECK(testing::eventually([&] { return (seen.look(*source), seen.bad == 15); }, 10s));
  CHECK(seen.state == guard::Freshness::fresh);

  exporter.die();  // stale markers: the series are gone, and that is not "no errors"
  CHECK(testing::eventually([&] { return (seen.look(*source), seen.state == guard::Freshness::empty); }, 15s));
  CHECK(seen.total == 135);
}

TEST_CASE("real Prometheus: a target found later is late-born with all that it counted before, unless its process is younger than that") {
  Exporter first, old_one, without_start, young;
  for (Exporter* each : {&first, &old_one, &without_start}) each->serve(1000, 600);
  old_one.say_start(std::chrono::hours(5));
  Prometheus prometheus(first);
  const auto source = open(prometheus, boot_now());
  Seen seen = first_look(*source);
  const auto counted = [&](std::uint64_t bad) { return testing::eventually([&] { return (seen.look(*source), seen.bad == bad); }, 20s); };
  prometheus.find({&first, &old_one, &without_start});
  REQUIRE(testing::eventually([&] { return (seen.look(*source), seen.unknown == 1200); }, 20s));
  CHECK(seen.late_born >= 1);
  CHECK(seen.late_born <= 2);  // the two need not be scraped at the same moment
  CHECK(seen.total == 0);
  for (Exporter* each : {&first, &old_one, &without_start}) each->serve(10, 5);
  CHECK(counted(15));
  CHECK(seen.total == 45);
  const std::size_t late_born = seen.late_born;
  young.say_start(0s);
  young.serve(20, 7);
  prometheus.find({&first, &old_one, &without_start, &young});
  CHECK(counted(22));
  CHECK(seen.late_born == late_born);
  CHECK(seen.unknown == 1200);
}

TEST_CASE("real Prometheus: when the server stops the source says so") {
  Exporter exporter;
  exporter.serve(1000, 0);
  Prometheus prometheus(exporter);
  const auto source = open(prometheus, boot_now());
  Seen seen = first_look(*source);
  prometheus.stop();
  CHECK(testing::eventually([&] { return (seen.look(*source), seen.state == guard::Freshness::error); }, 10s));
  CHECK(seen.problem.find("127.0.0.1") != std::string::npos);
}

TEST_CASE("real Prometheus: history says how many events, and over how much time they were seen") {
  Exporter exporter;
  exporter.serve(1000, 0);
  Prometheus prometheus(exporter);
  const Duration epoch = boot_now();
  const auto source = open(prometheus, epoch);
  Seen seen = first_look(*source);
  for (int i = 0; i < 10; ++i) {
    exporter.serve(100, i < 5 ? 0 : 1);
    testing::eventually([] { return false; }, 1s);
  }
  const auto history = sli::prometheus_history(prometheus.source(), {}, std::chrono::hours(720));
  REQUIRE_MESSAGE(history, history.error().message);
  CHECK(history->events > 700);
  CHECK(history->events < 1300);
  CHECK(history->covered > 7s);
  CHECK(history->covered <= boot_now() - epoch + 5s);

  auto wrong = prometheus.source();
  wrong.total = "sum(nothing_of_this_name)";
  CHECK(sli::prometheus_history(wrong, {}, std::chrono::hours(720)).error().blame == Blame::missing);
  wrong.total = "sum(requests_total{";
  CHECK(sli::prometheus_history(wrong, {}, std::chrono::hours(720)).error().blame == Blame::input);
  wrong.total = "sum(requests_total))";
  CHECK(sli::prometheus_history(wrong, {}, std::chrono::hours(720)).error().message.find("parse error") != std::string::npos);
}

TEST_CASE("real Prometheus: an error that made its series is in the history, unless it may be older than the window") {
  Exporter young, old_one, without_start;
  young.say_start(0s);
  old_one.say_start(std::chrono::hours(1000));
  young.serve(1000, 0);
  for (Exporter* each : {&old_one, &without_start}) each->serve(1000, 50);
  Prometheus prometheus(young);
  prometheus.find({&young, &old_one, &without_start});
  const auto source = open(prometheus, boot_now());
  first_look(*source);
  young.serve(0, 5);  // all of its errors are there when the series is first seen
  const auto bad = [&] {
    const auto history = sli::prometheus_history(prometheus.source(), {}, std::chrono::hours(720));
    return history ? history->bad : -1;
  };
  CHECK(testing::eventually([&] { return bad() == 5; }, 20s));
  CHECK(bad() == 5);
}

TEST_CASE("real Prometheus: time slices that were bad in the past are spent") {
  Exporter exporter;
  exporter.serve(1000, 1);
  Prometheus prometheus(exporter);
  const auto source = open(prometheus, boot_now());
  Seen seen = first_look(*source);
  for (int i = 0; i < 16; ++i) {
    exporter.serve(100, i < 8 ? 0 : 50);
    testing::eventually([] { return false; }, 1s);
  }
  spec::Experiment experiment;
  experiment.slos.push_back({.name = "pay",
                             .objective = 0.99,
                             .window = std::chrono::minutes(10),
                             .measures = {{.source = prometheus.source()}},
                             .method = spec::Method::timeslices,
                             .slice = 2s,
                             .slice_target = 0.95});
  const auto config = engine::guard_config(experiment);
  REQUIRE_MESSAGE(config, config.error().message);
  const auto& terms = config->slos[0].sources[0];
  CHECK(terms.window_bad >= 3);  // the last eight seconds: four, one of them perhaps not over
  CHECK(terms.window_bad <= 5);
  CHECK(terms.extrapolated);
}

TEST_CASE("real Prometheus: of a calendar window only what was bad since its begin is spent") {
  Exporter exporter;
  exporter.serve(1000, 1);
  Prometheus prometheus(exporter);
  const auto source = open(prometheus, boot_now());
  Seen seen = first_look(*source);
  const auto serve = [&](int rounds, double bad) {
    for (int i = 0; i < rounds; ++i) {
      exporter.serve(100, bad);
      testing::eventually([] { return false; }, 1s);
    }
  };
  serve(6, 50);
  serve(4, 0);
  const auto begin = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  serve(3, 0);
  serve(6, 2);
  serve(3, 0);
  spec::Experiment experiment;
  experiment.slos = {{.name = "pay", .objective = 0.99, .measures = {{.source = prometheus.source()}}}};
  const auto rolling = engine::guard_config(experiment);
  REQUIRE_MESSAGE(rolling, rolling.error().message);
  // A day that began then, by the clock of a zone that is not this machine's.
  constexpr int tokyo = 9 * 3600, days = 10 * 86400;
  experiment.slos[0].calendar = spec::Calendar{.unit = 'd', .start = begin + tokyo - days, .timezone = "Asia/Tokyo"};
  REQUIRE(spec::settle_windows(experiment, begin + 12));
  CHECK(experiment.slos[0].period.value().begin == begin);
  const auto since = engine::guard_config(experiment);
  REQUIRE_MESSAGE(since, since.error().message);
  const auto& terms = since->slos[0].sources[0];
  CHECK(rolling->slos[0].sources[0].window_bad > 200);
  // With a rate of its own the window is not measured, and what is spent of it is all the same.
  auto with_rate = experiment;
  with_rate.slos[0].measures[0].rate = {5};
  const auto same = engine::guard_config(with_rate);
  REQUIRE_MESSAGE(same, same.error().message);
  CHECK(same->slos[0].sources[0].window_bad == doctest::Approx(terms.window_bad).epsilon(0.3));
  with_rate.slos[0].calendar.reset();
  with_rate.slos[0].period.reset();
  with_rate.slos[0].window = 720h;
  const auto given = engine::guard_config(with_rate);
  REQUIRE_MESSAGE(given, given.error().message);
  CHECK(given->slos[0].sources[0].window_events == 5.0 * 720 * 3600);
  CHECK(given->slos[0].sources[0].window_bad > 200);
  with_rate.slos[0].measures[0].rate = {0.001};  // 259 events of which 2.6 may be bad: long gone
  const auto gone = engine::guard_config(with_rate);
  REQUIRE_MESSAGE(gone, gone.error().message);
  const auto refused = guard::Guard::make(*gone);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.find("no error budget is left") != std::string::npos);
  with_rate.slos[0].measures[0].source = spec::PrometheusSource{.url = prometheus.source().url, .bad = "sum(none)", .total = "sum(no)"};
  const auto none = engine::guard_config(with_rate);  // no traffic before the experiment's own: nothing is spent
  REQUIRE_MESSAGE(none, none.error().message);
  CHECK(none->slos[0].sources[0].window_bad == 0);
  with_rate.slos[0].measures[0].source = spec::PrometheusSource{.url = "http://127.0.0.1:1", .bad = "sum(none)", .total = "sum(no)"};
  const auto unreachable = engine::guard_config(with_rate);
  REQUIRE_FALSE(unreachable);
  CHECK(unreachable.error().message.find("what is spent of its budget is asked all the same") != std::string::npos);
  CHECK(terms.window_bad >= 8);  // twelve; the ends of a range are reckoned, not counted
  CHECK(terms.window_bad <= 20);
  CHECK(terms.extrapolated);
  CHECK(since->slos[0].window == 24h);
  CHECK(since->slos[0].period.starts_with("this calendar day, since "));
}
