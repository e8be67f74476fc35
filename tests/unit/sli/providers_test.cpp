// Datadog, Mackerel, CloudWatch and New Relic against a server that speaks their documented protocols, and checks what it is sent.
#include "experiments/engine/guard_terms.hpp"
#include "experiments/sli/hosted/provider.hpp"
#include "experiments/sli/open.hpp"
#include "injector/core/json.hpp"
#include "tests/support/child.hpp"
#include "tests/support/http_server.hpp"
#include "tests/support/namespaces.hpp"
#include "tests/unit/sli/provider_servers.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <fstream>
#include <mutex>

using namespace arashi;
using namespace std::chrono_literals;
using guard::Freshness;
using testing::Answered;
using testing::Asked;
using testing::cloudwatch;
using testing::datadog_v1;
using testing::datadog_v2;
using testing::HttpServer;
using testing::mackerel;
using testing::newrelic;
using testing::now_ms;
using testing::refused;

namespace {

struct Files {
  testing::Directory directory;
  Files() { write("api", "the-api-key\n"); }
  void write(const std::string& name, const std::string& text) const { std::ofstream(directory.path() / name) << text; }
};

spec::Measure measure_of(const std::string& kind, const std::string& url, const Files& files) {
  files.write("app", "the-app-key");
  files.write("access", "AKIDEXAMPLE");
  files.write("secret", "the-secret-key");
  files.write("session", "the-session");
  const auto file = [](const char* name) { return spec::Secret{.env = {}, .file = name, .command = {}}; };
  spec::Measure measure;
  if (kind.starts_with("datadog"))
    measure.source = spec::DatadogSource{.url = url,
                                         .api = kind.substr(8),
                                         .bad = "sum:e{*}.as_count()",
                                         .total = "sum:h{*}.as_count()",
                                         .every = 1s,
                                         .interval = 1s,
                                         .lag = 200ms,
                                         .api_key = file("api"),
                                         .app_key = {.env = {}, .file = {}, .command = {"cat", "app"}}};
  if (kind == "mackerel")
    measure.source = spec::MackerelSource{
        .url = url, .service = "pay", .bad = "http.errors", .total = "http.requests", .every = 1s, .lag = 0ms, .api_key = file("api")};
  if (kind == "cloudwatch")
    measure.source = spec::CloudwatchSource{
        .region = "eu-central-1",
        .url = url,
        .bad = {.name_space = "AWS/ApplicationELB", .metric = "HTTPCode_Target_5XX_Count", .dimensions = {{"LoadBalancer", "app/pay/1"}}},
        .total = {.name_space = "AWS/ApplicationELB", .metric = "RequestCount", .dimensions = {{"LoadBalancer", "app/pay/1"}}},
        .every = 1s,
        .period = 1s,
        .lag = 200ms,
        .access_key = file("access"),
        .secret_key = file("secret"),
        .session_token = file("session")};
  if (kind == "newrelic")
    measure.source = spec::NewrelicSource{.url = url,
                                          .account = "12345678",
                                          .from = "Transaction",
                                          .where = "appName = 'pay'",
                                          .bad = "error IS true",
                                          .every = 1s,
                                          .interval = 1s,
                                          .lag = 3s,
                                          .api_key = file("api")};
  return measure;
}

std::vector<guard::Slice> collect(const spec::Measure& measure, const Files& files, std::size_t most, Duration limit = 20s) {
  auto source = sli::open(measure, files.directory.path().string(), boot_now());
  REQUIRE_MESSAGE(source, source.error().message);
  std::vector<guard::Slice> all;
  testing::eventually(
      [&] {
        for (auto& slice : (*source)->drain()) all.push_back(std::move(slice));
        return all.size() >= most;
      },
      limit);
  return all;
}

std::string first_problem(const std::string& kind, const HttpServer::Decide& decide, const Files& files = {}) {
  HttpServer server(decide);
  const auto slices = collect(measure_of(kind, server.url(""), files), files, 1);
  REQUIRE_FALSE(slices.empty());
  CHECK(slices[0].total == 0);
  CHECK_FALSE(guard::has_counts(slices[0].state));
  for (const char* secret : {"the-api-key", "the-app-key", "the-secret-key", "the-session"})
    CHECK(slices[0].problem.find(secret) == std::string::npos);
  return slices[0].problem;
}

bool holds(const std::string& text, const std::string& word) {
  CAPTURE(text);
  return text.find(word) != std::string::npos;
}

}  // namespace

TEST_CASE("providers: counts come as they are, in order and without a gap") {
  const std::map<std::string, HttpServer::Decide> kinds{
      {"datadog-v2", datadog_v2}, {"datadog-v1", datadog_v1}, {"cloudwatch", cloudwatch}, {"newrelic", newrelic}};
  for (const auto& each : kinds) {
    const auto& kind = each.first;
    const auto& decide = each.second;
    CAPTURE(kind);
    const Files files;
    HttpServer server(decide);
    const auto slices = collect(measure_of(kind, server.url(""), files), files, 2);
    REQUIRE(slices.size() >= 2);
    for (std::size_t i = 0; i < slices.size(); ++i) {
      CHECK_MESSAGE(slices[i].state == Freshness::fresh, slices[i].problem);
      CHECK(slices[i].total == 100);
      CHECK((slices[i].bad == 3 || (slices[i].bad == 0 && kind == "datadog-v2")));
      CHECK(slices[i].end - slices[i].begin == 1s);
      if (i > 0) CHECK(slices[i].begin == slices[i - 1].end);
    }
    CHECK(server.connections() == 1);  // kept warm
  }
}

TEST_CASE("providers: Mackerel's minutes are two metrics of one service") {
  const Files files;
  HttpServer server(mackerel);
  const auto slices = collect(measure_of("mackerel", server.url(""), files), files, 1);
  REQUIRE_FALSE(slices.empty());
  CHECK_MESSAGE(slices[0].state == Freshness::fresh, slices[0].problem);
  CHECK(slices[0].total == 100);
  CHECK(slices[0].bad == 3);
  CHECK(slices[0].end - slices[0].begin == 60s);
}

TEST_CASE("providers: the past gives the budget") {
  const std::map<std::string, HttpServer::Decide> kinds{{"datadog-v2", datadog_v2}, {"mackerel", mackerel}, {"newrelic", newrelic}};
  for (const auto& each : kinds) {
    const auto& kind = each.first;
    const auto& decide = each.second;
    CAPTURE(kind);
    const Files files;
    HttpServer server([&](const Asked& asked) { return decide(asked); });
    const auto history = sli::history(measure_of(kind, server.url(""), files), 1h, files.directory.path().string());
    REQUIRE_MESSAGE(history, history.error().message);
    CHECK(history->events >= 5700);
    CHECK(history->events <= 6100);
    CHECK(history->covered > 55min);
    const auto remembered = sli::remembered(measure_of(kind, server.url(""), files), 1h, files.directory.path().string());
    REQUIRE_MESSAGE(remembered, remembered.error().message);
    CHECK(remembered->value().bad == history->bad);
  }
}

TEST_CASE("what a source remembers: of a program nothing, of a log without a line nothing, and what cannot be asked is an error") {
  const Files files;
  const auto past = [&](const spec::Source& source) { return sli::remembered({.source = source}, 1h, files.directory.path().string()); };
  const auto program = past(spec::CommandSource{.run = {"true"}});
  REQUIRE(program);
  CHECK_FALSE(*program);
  { std::ofstream(files.directory.path() / "access.log"); }
  const auto log = past(spec::AccessLogSource{.file = "access.log"});
  REQUIRE_MESSAGE(log, log.error().message);
  CHECK_FALSE(*log);
  CHECK_FALSE(past(spec::AccessLogSource{.file = "nowhere.log"}));
  CHECK_FALSE(past(spec::PrometheusSource{.url = "http://127.0.0.1:1", .bad = "sum(b)", .total = "sum(t)"}));
}

TEST_CASE("providers: a key that is refused is read again, and keys that are not there are told by where they should be") {
  const Files files;
  files.write("api", "an-old-key");
  HttpServer server(newrelic);
  const auto measure = measure_of("newrelic", server.url(""), files);
  auto source = sli::open(measure, files.directory.path().string(), boot_now());
  REQUIRE(source);
  std::vector<guard::Slice> all;
  const auto look = [&](Freshness state) {
    return testing::eventually(
        [&] {
          for (auto& slice : (*source)->drain()) all.push_back(std::move(slice));
          return !all.empty() && all.back().state == state;
        },
        20s);
  };
  CHECK(look(Freshness::error));
  CHECK(holds(all.back().problem, "HTTP status 401: Unauthorized"));
  CHECK_FALSE(holds(all.back().problem, "an-old-key"));
  files.write("api", "the-api-key");
  CHECK(look(Freshness::fresh));
  auto without = measure;
  std::get<spec::NewrelicSource>(without.source).api_key = {.env = "ARASHI_NO_SUCH_KEY", .file = {}, .command = {}};
  CHECK(holds(collect(without, files, 1).at(0).problem, "the environment variable ARASHI_NO_SUCH_KEY is not set"));
  std::get<spec::NewrelicSource>(without.source).api_key = {.env = {}, .file = "none", .command = {}};
  CHECK(holds(collect(without, files, 1).at(0).problem, "New Relic's API key: there is no file"));
  std::get<spec::NewrelicSource>(without.source).api_key = {.env = {}, .file = {}, .command = {"false"}};
  CHECK(holds(collect(without, files, 1).at(0).problem, "'false' failed with exit code 1"));
}

TEST_CASE("providers: each one's errors are told in its own words") {
  CHECK(holds(first_problem("datadog-v2",
                            [](const Asked&) {
                              return refused(400, {{"errors", {"Error parsing query: e"}}});
                            }),
              "HTTP status 400: Error parsing query: e"));
  CHECK(holds(first_problem("datadog-v1",
                            [](const Asked&) {
                              return refused(200, {{"status", "error"}, {"error", "no such metric"}});
                            }),
              "no such metric"));
  CHECK(holds(first_problem("datadog-v2", [](const Asked&) { return Answered{.body = "<html>"}; }), "not JSON"));
  CHECK(holds(first_problem("mackerel",
                            [](const Asked&) {
                              return refused(403, {{"error", {{"message", "out of the permitted IP range"}}}});
                            }),
              "HTTP status 403: out of the permitted IP range"));
  CHECK(holds(first_problem("mackerel",
                            [](const Asked&) {
                              return refused(200, {{"metrics", {{{"time", 1}, {"value", "x"}}}}});
                            }),
              "not a number"));
  CHECK(holds(first_problem(
                  "cloudwatch",
                  [](const Asked&) {
                    return refused(400, {{"__type", "com.amazonaws.cloudwatch#InvalidParameterValue"}, {"message", "The period is wrong"}});
                  }),
              "The period is wrong"));
  CHECK(holds(first_problem("cloudwatch",
                            [](const Asked&) {
                              return refused(200, {{"MetricDataResults",
                                                    {{{"Id", "bad"}, {"StatusCode", "PartialData"}, {"Timestamps", {}}, {"Values", {}}}}}});
                            }),
              "not complete (PartialData)"));
  CHECK(holds(first_problem("newrelic",
                            [](const Asked&) {
                              return refused(200, {{"errors", {{{"message", "NRQL Syntax Error"}}}}});
                            }),
              "New Relic says: NRQL Syntax Error"));
  CHECK(holds(first_problem("newrelic", [](const Asked&) { return refused(200, {{"data", {{"actor", nullptr}}}}); }), "account's number"));
  CHECK(holds(first_problem("newrelic", [](const Asked&) { return Answered{.cut = true}; }), "127.0.0.1"));
}

TEST_CASE("providers: several series where one is wanted are a mistake in the experiment") {
  const auto twice = [](const Asked&) {
    const Json series = Json::array({{{"query_index", 1}}, {{"query_index", 1}}});
    return Answered{.body = to_text(Json{{"data", {{"attributes", {{"times", {1000}}, {"series", series}, {"values", {{1}, {2}}}}}}}})};
  };
  CHECK(holds(first_problem("datadog-v2", twice), "several series where one is wanted"));
  const auto facets = [](const Asked&) {
    const Json rows = Json::array({{{"facet", "a"}, {"beginTimeSeconds", 1}, {"endTimeSeconds", 2}, {"total", 1}, {"bad", 0}}});
    const Json account{{"counts", {{"results", rows}}}, {"newest", {{"results", Json::array()}}}};
    return Answered{.body = to_text(Json{{"data", {{"actor", {{"account", account}}}}}})};
  };
  CHECK(holds(first_problem("newrelic", facets), "facets"));
}

TEST_CASE("providers: one that limits its rate is left alone for as long as it says") {
  const auto asked_in_a_while = [](const std::string& kind, int status, const std::string& body, const std::string& headers) {
    const bool is_limited = status != 500;
    std::atomic<int> asked = 0;
    HttpServer server([&](const Asked&) {
      ++asked;
      return Answered{.status = status, .body = body, .headers = headers};
    });
    const Files files;
    auto source = sli::open(measure_of(kind, server.url(""), files), files.directory.path().string(), boot_now());
    REQUIRE_MESSAGE(source, source.error().message);
    CHECK(testing::eventually([&] { return asked > 0; }, 20s));
    (void)testing::eventually([&] { return asked > 1; }, is_limited ? 2500ms : 20000ms);
    return asked.load();
  };
  CHECK(asked_in_a_while("datadog-v2", 429, R"({"errors":["Rate limit"]})", "X-RateLimit-Reset: 30\r\nX-RateLimit-Remaining: 0\r\n") == 1);
  CHECK(asked_in_a_while("mackerel", 429, "{}", "") == 1);
  CHECK(asked_in_a_while("newrelic", 429, "{}", "Retry-After: 20\r\n") == 1);
  CHECK(asked_in_a_while("cloudwatch", 400, R"({"__type":"ThrottlingException","message":"Rate exceeded"})", "") == 1);
  CHECK(asked_in_a_while("newrelic", 500, "{}", "") > 1);
}

TEST_CASE("providers: keys from a program, as AWS' credential_process prints them") {
  const Files files;
  files.write("keys.json",
              R"({"Version": 1, "AccessKeyId": "AKIDEXAMPLE", "SecretAccessKey": "the-secret-key", "SessionToken": "the-session"})");
  HttpServer server(cloudwatch);
  auto measure = measure_of("cloudwatch", server.url(""), files);
  auto& source = std::get<spec::CloudwatchSource>(measure.source);
  source.access_key = source.secret_key = source.session_token = {};
  source.credentials = {"cat", "keys.json"};
  CHECK(collect(measure, files, 1).at(0).total == 100);
  source.credentials = {"echo", "{}"};
  CHECK(holds(collect(measure, files, 1).at(0).problem, "printed no AccessKeyId"));
}

TEST_CASE("providers: time slices of the past, piece by piece and without a gap, and their bad ones are spent") {
  const std::map<std::string, HttpServer::Decide> kinds{
      {"datadog-v2", datadog_v2}, {"mackerel", mackerel}, {"cloudwatch", cloudwatch}, {"newrelic", newrelic}};
  for (const auto& each : kinds) {
    const auto& kind = each.first;
    const auto& decide = each.second;
    CAPTURE(kind);
    const Files files;
    std::atomic<int> asked = 0;
    HttpServer server([&](const Asked& request) {
      ++asked;
      return decide(request);
    });
    const auto measure = measure_of(kind, server.url(""), files);
    const std::string directory = files.directory.path().string();
    const auto slices = sli::remembered_slices(measure, 10h, 60s, directory);  // two pieces
    REQUIRE_MESSAGE(slices, slices.error().message);
    CHECK(asked >= 2);
    REQUIRE(slices->size() >= 590);
    for (std::size_t i = 0; i < slices->size(); ++i) {
      CHECK((*slices)[i].end - (*slices)[i].begin == 60s);
      CHECK((*slices)[i].total == 100);
      CHECK((*slices)[i].bad == 3);
      if (i > 0) CHECK((*slices)[i].begin == (*slices)[i - 1].end);
    }
    CHECK(seconds((*slices).back().end) <= static_cast<double>(now_ms()) / 1000);
    CHECK((kind != "mackerel" || sli::remembered_slices(measure, 1h, 90s, directory).value().empty()));
    spec::Experiment experiment;
    experiment.directory = directory;
    experiment.slos.push_back({.name = "pay", .objective = 0.5, .window = 10h, .measures = {measure}});
    experiment.slos[0].method = spec::Method::timeslices;
    experiment.slos[0].slice = 60s;
    experiment.slos[0].slice_target = 0.98;  // 3 of 100 are too many
    const auto config = engine::guard_config(experiment);
    REQUIRE_MESSAGE(config, config.error().message);
    CHECK(config->slos[0].sources[0].window_bad >= 588);
    CHECK(config->slos[0].sources[0].window_bad <= 600);
  }
}

TEST_CASE("providers: one that counts the past in longer stretches than the slices tells nothing of them") {
  const Files files;
  HttpServer server([](const Asked& asked) {
    Json body = *parse_json(asked.body);
    body["data"]["attributes"]["interval"] = 300'000;  // enlarged without a word
    Asked other = asked;
    other.body = to_text(body);
    return datadog_v2(other);
  });
  const auto slices = sli::remembered_slices(measure_of("datadog-v2", server.url(""), files), 10h, 60s, files.directory.path().string());
  REQUIRE_MESSAGE(slices, slices.error().message);
  CHECK(slices->empty());
}
