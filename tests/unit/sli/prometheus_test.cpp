// The polling thread against a server that answers as a test wants it; tests/system has the real Prometheus.
#include "experiments/sli/prometheus/prometheus.hpp"
#include "tests/support/child.hpp"
#include "tests/support/http_server.hpp"
#include "tests/support/namespaces.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <fstream>
#include <functional>
#include <mutex>

using namespace arashi;
using namespace std::chrono_literals;
using testing::Answered;
using testing::Asked;
using testing::HttpServer;

namespace {

std::string sample(const std::string& part, double value) {
  return R"({"metric":{"arashi_part":")" + part + R"("},"value":[0,")" + std::to_string(value) + R"("]})";
}

std::string page(double bad, double total, double at) {
  return R"({"status":"success","data":{"resultType":"vector","result":[)" + sample("bad", bad) + "," + sample("total", total) + "," +
         sample("bad_at0", at) + "," + sample("total_at0", at) + "]}}";
}

double now() { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); }

// Until there are so many, and what is asked for beside that is so.
std::vector<guard::Slice> collect(const spec::PrometheusSource& from, std::size_t most, const std::function<bool()>& enough = {}) {
  auto source = sli::prometheus(from, {}, boot_now());
  REQUIRE_MESSAGE(source, source.error().message);
  std::vector<guard::Slice> all;
  const auto is_enough = [&] {
    for (auto& slice : (*source)->drain()) all.push_back(std::move(slice));
    return all.size() >= most && (!enough || enough());
  };
  (void)testing::eventually(is_enough, 20s);
  return all;
}

spec::PrometheusSource source_of(const HttpServer& server) {
  return {.url = server.url(""),
          .bad = "sum(errors)",
          .total = "sum(requests)",
          .every = 1s,  // nine tenths of it are long enough to answer on a busy machine
          .scrape = 1s,
          .headers = {{"X-Scope-OrgID", "t1"}}};
}

}  // namespace

TEST_CASE("the thread polls, and slices follow each other without a gap") {
  std::mutex mutex;
  std::string target, head;
  double total = 100;
  HttpServer server([&](const Asked& asked) {
    const std::lock_guard lock(mutex);
    target = asked.target;
    head = asked.head;
    total += 10;
    return Answered{.body = page(1, total, now())};
  });
  const auto slices = collect(source_of(server), 3);
  REQUIRE(slices.size() >= 3);
  for (std::size_t i = 1; i < slices.size(); ++i) {
    CHECK(slices[i].begin == slices[i - 1].end);
    CHECK(slices[i].total == 10);
    CHECK(slices[i].bad == 0);
  }
  const std::lock_guard lock(mutex);
  CHECK(target.starts_with("/api/v1/query?query=label_replace"));
  CHECK(target.find("&time=") != std::string::npos);
  CHECK(head.find("X-Scope-OrgID: t1") != std::string::npos);
  CHECK(server.connections() == 1);
}

TEST_CASE("a server whose clock is an hour ahead is read by its own clock") {
  HttpServer server([total = std::make_shared<std::atomic<int>>(0)](const Asked&) {
    const std::time_t ahead = static_cast<std::time_t>(now()) + 3600;
    std::string date(64, '\0');
    date.resize(std::strftime(date.data(), date.size(), "Date: %a, %d %b %Y %H:%M:%S GMT\r\n", std::gmtime(&ahead)));
    return Answered{.body = page(0, *total += 10, now() + 3600), .headers = date};
  });
  const auto slices = collect(source_of(server), 2);
  REQUIRE(slices.size() >= 2);
  CHECK(slices[0].state == guard::Freshness::fresh);
  CHECK(slices[0].end < 3s);
  CHECK(slices[0].end > -3s);
}

TEST_CASE("errors of every kind are notices with a reason, and a server that wants to be left alone is") {
  std::atomic<int> asked = 0;
  int status = 0;
  std::string body, headers;
  const auto first = [&](int with, const std::string& text, const std::string& more = "") {
    status = with;
    body = text;
    headers = more;
    asked = 0;
    HttpServer server([&](const Asked&) {
      ++asked;
      return Answered{.status = status, .body = body, .headers = headers};
    });
    const auto begin = boot_now();
    const auto slices = collect(source_of(server), 1, [&] { return status == 429 ? boot_now() - begin > 2500ms : asked > 1; });
    REQUIRE_FALSE(slices.empty());
    CHECK(slices[0].state == guard::Freshness::error);
    CHECK(slices[0].total == 0);
    CHECK(slices[0].problem.find(server.url("")) != std::string::npos);
    return slices[0].problem;
  };
  CHECK(first(502, "<html>bad gateway</html>").find("502") != std::string::npos);
  CHECK(first(400, R"({"status":"error","errorType":"bad_data","error":"parse error"})").find("parse error") != std::string::npos);
  CHECK(first(200, "<html>log in</html>").find("JSON") != std::string::npos);
  CHECK(asked > 1);
  CHECK(first(429, "slow down", "Retry-After: 30\r\n").find("429") != std::string::npos);
  CHECK(asked == 1);
}

TEST_CASE("a source that hangs is an error within its period, and can be closed at once") {
  HttpServer server([](const Asked&) { return Answered{.after = 30s}; });
  const auto begin = boot_now();
  const auto slices = collect(source_of(server), 1);
  REQUIRE_FALSE(slices.empty());
  CHECK(slices[0].state == guard::Freshness::error);
  CHECK(boot_now() - begin < 15s);
}

TEST_CASE("a source that cannot be asked is refused") {
  spec::PrometheusSource source{.url = "prometheus:9090", .bad = "sum(a)", .total = "sum(b)"};
  CHECK(sli::prometheus(source, {}, 0s).error().blame == Blame::input);
  source.url = "http://prometheus:9090";
  source.bad = "rate(a[5m])";
  CHECK(sli::prometheus(source, {}, 0s).error().message.find("range") != std::string::npos);
  source.bad = "sum(a)";
  source.every = 0s;
  CHECK_FALSE(sli::prometheus(source, {}, 0s));
}

TEST_CASE("what speaks Prometheus' API is asked in its own way: tenants, no partial answers, tokens that end, passwords") {
  testing::Directory directory;
  const auto token = directory.path() / "token";
  std::ofstream(token) << "old\n";
  std::mutex mutex;
  std::string target, head;
  HttpServer server([&](const Asked& asked) {
    const std::lock_guard lock(mutex);
    target = asked.target;
    head = asked.head;
    if (asked.head.find("Bearer old") != std::string::npos) {
      std::ofstream(token) << "new\n";  // what a token's keeper does now and then
      return Answered{.status = 401, .body = "{}"};
    }
    return Answered{.body = page(1, 100, now())};
  });
  const auto asked_as = [&](const spec::PrometheusSource& source) {
    {
      const std::lock_guard lock(mutex);
      target.clear();
      head.clear();
    }
    collect(source, 0, [&] {
      const std::lock_guard lock(mutex);
      return !head.empty() && head.find("Bearer old") == std::string::npos;
    });
    const std::lock_guard lock(mutex);
    return target + "\n" + head;
  };
  auto source = source_of(server);
  source.headers.clear();
  source.server = "thanos";
  source.tenant = "pay";
  CHECK(asked_as(source).find("&partial_response=false&dedup=true") != std::string::npos);
  CHECK(asked_as(source).find("THANOS-TENANT: pay") != std::string::npos);
  source.server = "mimir";
  CHECK(asked_as(source).find("X-Scope-OrgID: pay") != std::string::npos);
  CHECK(asked_as(source).find("partial_response") == std::string::npos);
  source.tenant.clear();
  source.user = "arashi";
  source.password.command = {"echo", "secret"};
  CHECK(asked_as(source).find("Authorization: Basic YXJhc2hpOnNlY3JldA==") != std::string::npos);
  source = source_of(server);
  source.server = "google";
  source.token.file = token.string();
  CHECK(asked_as(source).find("Authorization: Bearer new") != std::string::npos);
  source.token = {.env = {}, .file = "/no/such/token", .command = {}};
  const auto slices = collect(source, 1);
  REQUIRE_FALSE(slices.empty());
  CHECK(slices[0].state == guard::Freshness::error);
  CHECK(slices[0].problem.find("/no/such/token") != std::string::npos);
}
