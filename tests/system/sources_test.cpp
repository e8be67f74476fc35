// Sources of counts read what real programs say: Prometheus' own /metrics page in three formats, and nginx' access log.
#include "experiments/sli/logs/access_log.hpp"
#include "experiments/sli/metrics/metrics.hpp"
#include "tests/support/child.hpp"
#include "tests/support/http_server.hpp"
#include "tests/support/namespaces.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <optional>

using namespace arashi;
using namespace std::chrono_literals;

namespace {

struct Seen {
  std::uint64_t total = 0, bad = 0;
  bool any = false;
  std::string problem;
  void look(sli::Source& source) {
    for (const auto& slice : source.drain()) {
      total += slice.total;
      bad += slice.bad;
      any = any || guard::has_counts(slice.state);
      if (!slice.problem.empty()) problem = slice.problem;
    }
  }
};

void ask(const std::string& url, int times) {
  const auto ran = testing::run({"curl", "-s", "-o", "/dev/null", url + "?[1-" + std::to_string(times) + "]"});
  REQUIRE_MESSAGE(ran.exit_code == 0, ran.output);
}

bool answers(const std::string& url) {
  return testing::eventually([&] { return testing::run({"curl", "-sf", "-o", "/dev/null", url}).exit_code == 0; }, 30s);
}

class Nginx {
 public:
  Nginx() : url_("http://127.0.0.1:" + std::to_string(testing::free_port())) {
    std::filesystem::permissions(directory_.path(), std::filesystem::perms::all);
    const std::string here = directory_.path().string();
    std::ofstream(directory_.path() / "nginx.conf")
        << "daemon off; master_process on; worker_processes 1; user root; pid " << here << "/pid; error_log " << here << "/error.log;\n"
        << "events {}\nhttp {\n"
        << "  log_format timed '" << format << "';\n  access_log " << here << "/access.log timed;\n"
        << "  client_body_temp_path " << here << "/b; proxy_temp_path " << here << "/p; fastcgi_temp_path " << here
        << "/f; uwsgi_temp_path " << here << "/u; scgi_temp_path " << here << "/s;\n"
        << "  server { listen " << url_.substr(7) << ";\n"
        << "    location /buy { return 200; }\n    location /fail { return 503; }\n    location /other { return 500; }\n  }\n}\n";
    child_.emplace(testing::spawn({.argv = {"nginx", "-c", here + "/nginx.conf", "-e", here + "/error.log"}}));
    REQUIRE(answers(url_ + "/buy"));
  }
  static constexpr const char* format =
      R"($remote_addr [$time_local] "$request" $status $body_bytes_sent "$http_user_agent" $request_time)";
  [[nodiscard]] const std::string& url() const { return url_; }
  [[nodiscard]] std::string log() const { return (directory_.path() / "access.log").string(); }
  void rotate() const {
    std::filesystem::rename(log(), log() + ".1");
    child_->signal(SIGUSR1);
  }

 private:
  testing::Directory directory_;  // outlives the child
  std::string url_;
  std::optional<Child> child_;
};

}  // namespace

TEST_CASE("real nginx: its log is counted as curl asked, also over a rotation") {
  const Nginx nginx;
  const spec::AccessLogSource source{.file = nginx.log(), .format = Nginx::format, .path = "/", .bad = {"503"}, .every = 100ms};
  auto opened = sli::access_log(source, 5s, {}, boot_now());
  REQUIRE_MESSAGE(opened, opened.error().message);
  Seen seen;
  ask(nginx.url() + "/buy", 40);
  ask(nginx.url() + "/fail", 7);
  ask(nginx.url() + "/other", 3);
  CHECK(testing::eventually([&] { return (seen.look(**opened), seen.total == 50 && seen.bad == 7); }));
  nginx.rotate();
  ask(nginx.url() + "/buy", 20);
  ask(nginx.url() + "/fail", 5);
  CHECK(testing::eventually([&] { return (seen.look(**opened), seen.total == 75 && seen.bad == 12); }));
  CHECK(std::filesystem::exists(nginx.log()));
  const auto history = sli::access_log_history({.file = nginx.log() + ".1", .format = Nginx::format}, 0s, {}, 720h);
  REQUIRE_MESSAGE(history, history.error().message);
  CHECK(history->events >= 51);  // and the one that waited for nginx
}

TEST_CASE("real /metrics pages: Prometheus' own counters in text, its histogram in protobuf, as curl asked") {
  const testing::Directory directory;
  std::ofstream(directory.path() / "prometheus.yml") << "global: {scrape_interval: 60s}\n";
  const int port = testing::free_port();
  const std::string url = "http://127.0.0.1:" + std::to_string(port);
  const Child child = testing::spawn({.argv = {"prometheus", "--config.file=" + (directory.path() / "prometheus.yml").string(),
                                               "--storage.tsdb.path=" + (directory.path() / "data").string(),
                                               "--web.listen-address=127.0.0.1:" + std::to_string(port), "--log.level=error"}});
  REQUIRE(answers(url + "/-/healthy"));
  // The same requests by two ways: counters of status codes, and the bucket of 400 ms.
  const spec::MetricsSource counters{.targets = {url + "/metrics"},
                                     .good = R"(prometheus_http_requests_total{handler="/-/healthy",code="200"})",
                                     .total = R"(prometheus_http_requests_total{handler="/-/healthy"})",
                                     .every = 2s};
  const spec::MetricsSource histogram{
      .targets = {url + "/metrics"}, .histogram = R"(prometheus_http_request_duration_seconds{handler="/-/healthy"})", .every = 2s};
  for (const auto& [source, latency] : {std::pair{counters, Duration{}}, {histogram, Duration(400ms)}}) {
    auto opened = sli::metrics(source, latency, {}, boot_now());
    REQUIRE_MESSAGE(opened, opened.error().message);
    Seen seen;
    REQUIRE(testing::eventually([&] { return (seen.look(**opened), seen.any); }, 10s));
    ask(url + "/-/healthy", 50);
    CHECK(testing::eventually([&] { return (seen.look(**opened), seen.total == 50); }, 10s));
    CHECK(seen.bad <= 1);  // a busy machine may be slow once
    CHECK_MESSAGE(seen.problem.empty(), seen.problem);
  }
  // A counter that is not on the page before the first error: the process was there without it, so all of it is new.
  const spec::MetricsSource refused{.targets = {url + "/metrics"},
                                    .bad = R"(prometheus_http_requests_total{handler="/api/v1/query",code="400"})",
                                    .total = R"(prometheus_http_requests_total{handler="/api/v1/query"})",
                                    .every = 2s};
  ask(url + "/api/v1/query?query=1", 5);
  auto opened = sli::metrics(refused, 0s, {}, boot_now());
  REQUIRE_MESSAGE(opened, opened.error().message);
  Seen seen;
  REQUIRE(testing::eventually([&] { return (seen.look(**opened), seen.any); }, 10s));
  ask(url + "/api/v1/query?query=1+", 20);
  CHECK(testing::eventually([&] { return (seen.look(**opened), seen.bad == 20); }, 10s));
  CHECK(seen.total == 20);
  CHECK_MESSAGE(seen.problem.empty(), seen.problem);
  CHECK(sli::metrics(histogram, 300ms, {}, boot_now()).error().message.find("set 'latency' to one of 100ms, 200ms, 400ms, 1s") !=
        std::string::npos);
}
