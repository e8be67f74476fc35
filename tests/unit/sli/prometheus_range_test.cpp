// The past of an SLO, from a server that answers as a test wants it; tests/system has the real Prometheus.
#include "experiments/sli/prometheus/prometheus_range.hpp"
#include "experiments/sli/prometheus/prometheus_reply.hpp"
#include "tests/support/http_server.hpp"

#include <doctest/doctest.h>

#include <cstdlib>

using namespace arashi;
using namespace arashi::sli;
using namespace std::chrono_literals;
using testing::Answered;
using testing::Asked;
using testing::HttpServer;

namespace {

double asked_for(const std::string& target, const std::string& name) {
  const auto at = target.find("&" + name + "=");
  REQUIRE(at != std::string::npos);
  return std::strtod(target.c_str() + at + name.size() + 2, nullptr);
}

// Counters that grow by 10 and 1 each step of 15 s, but stand still (no new sample) from 3000 to 3600.
std::string page(double start, double end, double step) {
  std::string bad, total, at;
  const auto last = static_cast<int>((end - start) / step + 1e-6);
  for (int i = 0; i <= last; ++i) {
    const double t = start + i * step;
    const double sample = t > 3000 && t < 3600 ? 3000 : t;
    const std::string comma = total.empty() ? "" : ",", time = std::to_string(t);
    const auto add = [&](std::string& to, double number) {
      to.append(comma).append("[").append(time).append(",\"").append(std::to_string(number)).append("\"]");
    };
    add(bad, sample / 15);
    add(total, sample / 15 * 10);
    add(at, sample);
  }
  const auto series = [](const std::string& part, const std::string& values) {
    return R"({"metric":{"arashi_part":")" + part + R"("},"values":[)" + values + "]}";
  };
  return R"({"status":"success","data":{"resultType":"matrix","result":[)" + series("bad", bad) + "," + series("total", total) + "," +
         series("bad_at0", at) + "," + series("total_at0", at) + "]}}";
}

struct Got {
  std::vector<guard::Slice> slices;
  Result<void> done;
};

Got get(const HttpServer& server, const Range& range) {
  const spec::PrometheusSource source{.url = server.url(""), .bad = "sum(errors)", .total = "sum(requests)", .headers = {{"X-Org", "t1"}}};
  Got got;
  got.done = prometheus_range(source, ".", range, [&](std::vector<guard::Slice> slices, Duration) {
    for (auto& slice : slices) got.slices.push_back(std::move(slice));
    return true;
  });
  return got;
}

}  // namespace

TEST_CASE("a range is read piece by piece, without a seam, and a stretch without samples is one slice") {
  std::atomic<int> asked = 0;
  HttpServer server([&](const Asked& request) {
    ++asked;
    CHECK(request.target.starts_with("/api/v1/query_range?query=label_replace"));
    CHECK(request.head.find("X-Org: t1") != std::string::npos);
    return Answered{.body = page(asked_for(request.target, "start"), asked_for(request.target, "end"), asked_for(request.target, "step"))};
  });
  const Got got = get(server, {.from = 1500s, .to = 1500s + 15s * 4000, .step = 15s});
  REQUIRE_MESSAGE(got.done, got.done.error().message);
  CHECK(asked >= 2);
  REQUIRE(got.slices.size() > 3000);
  CHECK(got.slices.front().begin == 1500s);
  CHECK(got.slices.back().end == 1500s + 15s * 4000);
  std::uint64_t total = 0, bad = 0, longest = 0;
  for (std::size_t i = 0; i < got.slices.size(); ++i) {
    if (i > 0) CHECK(got.slices[i].begin == got.slices[i - 1].end);
    total += got.slices[i].total;
    bad += got.slices[i].bad;
    longest = std::max(longest, static_cast<std::uint64_t>(seconds(got.slices[i].end - got.slices[i].begin)));
  }
  CHECK(total == 40000);
  CHECK(bad == 4000);
  CHECK(longest == 600);
}

TEST_CASE("what a server says instead of a range is told with its name") {
  struct Case {
    int status;
    std::string body, says;
  };
  for (const auto& each : std::vector<Case>{
           {400, R"({"status":"error","errorType":"bad_data","error":"exceeded maximum resolution"})", "exceeded maximum resolution"},
           {502, "<html>", "HTTP status 502"},
           {200, "<html>", "not Prometheus's JSON"},
           {200, R"({"status":"success","data":{"resultType":"scalar","result":[1,"2"]}})", "not a scalar"},
           {200, R"({"status":"success","data":{"resultType":"matrix","result":[{"metric":{}}]}})", "a result without values"},
           {200, R"({"status":"success","data":{"resultType":"matrix","result":[{"metric":{},"values":[[1,"x"]]}]}})", "not a number"},
       }) {
    HttpServer server([&](const Asked&) { return Answered{.status = each.status, .body = each.body}; });
    const Got got = get(server, {.from = 0s, .to = 100s, .step = 1s});
    INFO(each.body);
    REQUIRE_FALSE(got.done);
    CHECK(got.done.error().message.find(each.says) != std::string::npos);
    CHECK(got.done.error().message.find("127.0.0.1") != std::string::npos);
  }
  HttpServer server([](const Asked&) { return Answered{.body = page(0, 1, 1)}; });
  CHECK_FALSE(get(server, {.from = 10s, .to = 0s, .step = 1s}).done);
  CHECK_FALSE(get(server, {.from = 0s, .to = 10s, .step = 0s}).done);
}
