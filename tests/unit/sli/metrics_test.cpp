// Many replicas' pages at once: what is counted, who is silent, what is refused. tests/system reads a real program's pages.
#include "experiments/sli/metrics/metrics.hpp"
#include "tests/support/child.hpp"
#include "tests/support/http_server.hpp"
#include "tests/support/namespaces.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <fstream>
#include <list>
#include <optional>

using namespace arashi;
using namespace std::chrono_literals;
using guard::Freshness;
using testing::Answered;
using testing::Asked;
using testing::HttpServer;

namespace {

// A replica that counts what the test says.
struct Replica {
  std::atomic<int> good = 1000, bad = 0, pages = 0;
  std::atomic<bool> dead = false;
  std::atomic<int> dead_from_page = 1'000'000;
  std::atomic<std::int64_t> slow_ms = 0;
  std::optional<HttpServer> server;

  Replica() {
    server.emplace([this](const Asked&) {
      ++pages;
      if (dead || pages >= dead_from_page) return Answered{.cut = true};
      std::string text = "requests_total{code=\"200\"} " + std::to_string(good) + "\n";
      if (bad > 0) text += "requests_total{code=\"500\"} " + std::to_string(bad) + "\n";
      text += "seconds_bucket{le=\"0.1\"} " + std::to_string(good) + "\nseconds_bucket{le=\"+Inf\"} " + std::to_string(good + bad) +
              "\nseconds_count " + std::to_string(good + bad) + "\n";
      return Answered{.body = text, .headers = "Content-Type: text/plain; version=0.0.4\r\n", .after = std::chrono::milliseconds(slow_ms)};
    });
  }
  [[nodiscard]] std::string url() const { return server->url("/metrics"); }
};

struct Replicas {
  std::list<Replica> all;
  spec::MetricsSource source{.bad = R"(requests_total{code=~"5.."})", .total = "requests_total", .every = 2s};
  explicit Replicas(std::size_t treated, std::size_t control = 0) {
    for (std::size_t i = 0; i < treated + control; ++i) (i < treated ? source.targets : source.control).push_back(all.emplace_back().url());
  }
};

struct Seen {
  std::uint64_t total = 0, bad = 0, control_total = 0, control_bad = 0;
  Freshness state = Freshness::empty;
  std::string problem;
  std::optional<double> missing, unknown;
  double charged = 0, taken_back = 0;  // seconds of all the traffic
  Duration end{};
  std::unique_ptr<sli::Source> source;

  explicit Seen(const Replicas& replicas) {
    auto opened = sli::metrics(replicas.source, 0s, {}, boot_now());
    REQUIRE_MESSAGE(opened, opened.error().message);
    source = std::move(*opened);
  }
  void look() {
    for (const auto& slice : source->drain()) {
      total += slice.total;
      bad += slice.bad;
      if (slice.control) control_total += slice.control->total;
      if (slice.control) control_bad += slice.control->bad;
      state = slice.state;
      problem = slice.problem;
      missing = slice.missing;
      if (slice.unknown) unknown = slice.unknown;
      charged += slice.missing.value_or(0) * seconds(slice.end - slice.begin);
      for (const auto& one : slice.returned) taken_back += one.share * seconds(one.end - one.begin);
      if (!guard::has_counts(slice.state)) continue;
      if (end > 0s) CHECK(slice.begin == end);
      end = slice.end;
    }
  }
  bool becomes(Freshness wanted) {
    return testing::eventually([&] { return (look(), state == wanted); }, 20s);
  }
};

std::string refused(const spec::MetricsSource& source, Duration latency = 0s) {
  const auto opened = sli::metrics(source, latency, {}, boot_now());
  REQUIRE_FALSE(opened);
  return opened.error().message;
}

}  // namespace

TEST_CASE("metrics: all replicas' counters are added up, those of the control group told apart") {
  Replicas replicas(20, 5);
  Seen seen(replicas);
  REQUIRE(seen.becomes(Freshness::fresh));
  for (auto& replica : replicas.all) {
    replica.good += 9;
    replica.bad += 1;  // the first ever: a series born late
  }
  CHECK(testing::eventually([&] { return (seen.look(), seen.total == 250 && seen.bad == 25); }, 20s));
  CHECK(seen.control_total == 50);
  CHECK(seen.control_bad == 5);
  for (const auto& replica : replicas.all) CHECK(replica.server->connections() == 1);  // kept warm
}

TEST_CASE("metrics: a silent replica makes the slices partial, its counts come when it is back, and with all silent nothing is known") {
  Replicas replicas(3);
  Seen seen(replicas);
  REQUIRE(seen.becomes(Freshness::fresh));
  auto& first = replicas.all.front();
  first.dead = true;
  REQUIRE(seen.becomes(Freshness::partial));
  CHECK(seen.problem.starts_with("1 of 3 replicas say nothing: GET " + first.url()));
  CHECK(seen.missing == doctest::Approx(1 / 3.0));
  first.good = 5;  // it was restarted
  first.dead = false;
  REQUIRE(seen.becomes(Freshness::fresh));
  CHECK(seen.total == 5);
  CHECK_FALSE(seen.missing);
  for (auto& replica : replicas.all) replica.dead = true;
  REQUIRE(seen.becomes(Freshness::error));
  CHECK(seen.problem.starts_with("no replica answers: "));
  CHECK(seen.total == 5);
}

TEST_CASE("metrics: what a replica counted before it answered for the first time is late-born: not counted, but so much may be bad") {
  Replicas replicas(2);
  auto& late = replicas.all.front();
  late.bad = 40;
  late.dead_from_page = 3;  // it answers twice when it is tried out, and not when the counting begins
  Seen seen(replicas);
  REQUIRE(seen.becomes(Freshness::partial));
  CHECK_FALSE(seen.unknown);
  late.bad = 42;
  late.dead_from_page = 1'000'000;
  REQUIRE(seen.becomes(Freshness::fresh));
  CHECK(seen.unknown == 42.0);  // one slice said so
  CHECK(seen.total == 0);
  late.bad = 45;
  CHECK(testing::eventually([&] { return (seen.look(), seen.bad == 3); }, 20s));
}

TEST_CASE("metrics: a silent replica that had most of the traffic is missing by that share and not by its number") {
  Replicas replicas(4);
  Seen seen(replicas);
  REQUIRE(seen.becomes(Freshness::fresh));
  replicas.all.front().good += 800;
  replicas.all.back().good += 200;
  REQUIRE(testing::eventually([&] { return (seen.look(), seen.total == 1000); }, 20s));
  replicas.all.front().dead = true;
  REQUIRE(seen.becomes(Freshness::partial));
  CHECK(seen.missing == doctest::Approx(0.8));
}

TEST_CASE("metrics: what was missing of a silent replica is taken back when it tells of that time, but not after a restart") {
  Replicas replicas(3);
  Seen seen(replicas);
  REQUIRE(seen.becomes(Freshness::fresh));
  auto& first = replicas.all.front();
  auto& last = replicas.all.back();
  first.dead = last.dead = true;
  REQUIRE(seen.becomes(Freshness::partial));
  first.good += 20;
  first.bad += 5;
  last.good = 7;  // it was restarted
  first.dead = last.dead = false;
  REQUIRE(seen.becomes(Freshness::fresh));
  CHECK(seen.total == 32);
  CHECK(seen.bad == 5);
  CHECK(seen.charged > 0);
  CHECK(seen.taken_back == doctest::Approx(seen.charged / 2));  // one of the two
}

TEST_CASE("metrics: a replica that hangs holds no other up for longer than the period") {
  Replicas replicas(2);
  Seen seen(replicas);
  REQUIRE(seen.becomes(Freshness::fresh));
  replicas.all.front().slow_ms = 30'000;
  const Duration begin = boot_now();
  REQUIRE(seen.becomes(Freshness::partial));
  CHECK(boot_now() - begin < 20s);
  replicas.all.front().slow_ms = 0;
}

TEST_CASE("metrics: what cannot work is refused before anything begins, with what would") {
  Replicas replicas(1);
  auto source = replicas.source;
  source.total = "request_total";
  CHECK(refused(source).find("no series fits 'request_total'; did you mean 'requests_total'?") != std::string::npos);
  source.total = R"(requests_total{code="999"})";
  CHECK(refused(source).find("no series of it has these labels") != std::string::npos);
  source = {.targets = source.targets, .histogram = "seconds", .every = 2s};
  CHECK(refused(source, 300ms).find("has no bucket that ends at 300ms: set 'latency' to one of 100ms") != std::string::npos);
  CHECK(sli::metrics(source, 100ms, {}, boot_now()));
  source.token.file = "/no/such/token";
  CHECK(refused(source, 100ms).find("/no/such/token") != std::string::npos);
  replicas.all.front().slow_ms = 120;
  const std::string slow = refused(replicas.source);
  CHECK_MESSAGE(
      slow.find("more than a twentieth of 2s: measuring would be a load of its own; set 'every' to at least") != std::string::npos, slow);
  replicas.all.front().slow_ms = 0;
  replicas.all.front().dead = true;
  CHECK(refused(replicas.source).find("every replica must answer") != std::string::npos);
}
