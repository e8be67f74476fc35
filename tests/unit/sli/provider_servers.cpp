#include "tests/unit/sli/provider_servers.hpp"

#include "tests/support/sigv4.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstdio>

namespace arashi::testing {
namespace {

std::string parameter(const Asked& asked, const std::string& name) {
  const auto at = asked.target.find(name + "=");
  if (at == std::string::npos) return {};
  const auto begin = at + name.size() + 1;
  return asked.target.substr(begin, asked.target.find('&', begin) - begin);
}

// 100 events in each stretch, 3 of them bad; each complete once its time is over.
std::vector<std::int64_t> stretches(std::int64_t from, std::int64_t to, std::int64_t width) {
  std::vector<std::int64_t> begins;
  for (std::int64_t at = (from + width - 1) / width * width; at + width <= std::min(to, now_ms()); at += width) begins.push_back(at);
  return begins;
}

}  // namespace

std::int64_t now_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

Answered refused(int status, const Json& body, const std::string& headers) {
  return {.status = status, .body = to_text(body), .headers = headers};
}

Answered datadog_v2(const Asked& asked) {
  if (header_of(asked, "DD-API-KEY") != "the-api-key" || header_of(asked, "DD-APPLICATION-KEY") != "the-app-key")
    return refused(403, {{"errors", {"Forbidden"}}});
  const Json body = *parse_json(asked.body);
  const Json& data = body.at("data");
  const Json& about = data.at("attributes");
  if (asked.method != "POST" || asked.target != "/api/v2/query/timeseries" || data.at("type") != "timeseries_request" ||
      header_of(asked, "Content-Type") != "application/json" || about.at("queries").at(0).at("data_source") != "metrics")
    return refused(400, {{"errors", {"Bad Request"}}});
  Json times = Json::array(), bad = Json::array(), total = Json::array();
  for (const auto at : stretches(about.at("from"), about.at("to"), about.at("interval"))) {
    times.push_back(at);
    bad.push_back(at / 1000 % 2 == 0 ? Json(3) : Json(nullptr));  // null: no error in that stretch
    total.push_back(100);
  }
  const Json series =
      Json::array({{{"group_tags", Json::array()}, {"query_index", 0}}, {{"group_tags", Json::array()}, {"query_index", 1}}});
  return {
      .body = to_text(Json{
          {"data", {{"type", "timeseries_response"}, {"attributes", {{"times", times}, {"series", series}, {"values", {bad, total}}}}}}})};
}

Answered datadog_v1(const Asked& asked) {
  if (header_of(asked, "DD-API-KEY") != "the-api-key") return refused(403, {{"errors", {"Forbidden"}}});
  if (!asked.target.starts_with("/api/v1/query?") ||
      parameter(asked, "query") != "sum%3Ae%7B%2A%7D.as_count%28%29%2Csum%3Ah%7B%2A%7D.as_count%28%29")
    return refused(400, {{"errors", {"Bad Request"}}});
  Json bad = Json::array(), total = Json::array();
  for (const auto at : stretches(std::stoll(parameter(asked, "from")) * 1000, std::stoll(parameter(asked, "to")) * 1000, 1000)) {
    bad.push_back({at, 3.0});
    total.push_back({at, 100.0});
  }
  const Json series =
      Json::array({{{"query_index", 1}, {"pointlist", total}, {"interval", 1}}, {{"query_index", 0}, {"pointlist", bad}, {"interval", 1}}});
  return {.body = to_text(Json{{"status", "ok"}, {"res_type", "time_series"}, {"series", series}})};
}

Answered mackerel(const Asked& asked) {
  if (header_of(asked, "X-Api-Key") != "the-api-key") return refused(403, {{"error", {{"message", "API key is invalid"}}}});
  if (!asked.target.starts_with("/api/v0/services/pay/metrics?name=http.")) return refused(404, {{"error", "no such metric"}});
  Json metrics = Json::array();
  for (const auto at : stretches(std::stoll(parameter(asked, "from")) * 1000, std::stoll(parameter(asked, "to")) * 1000, 60'000))
    metrics.push_back({{"time", at / 1000}, {"value", asked.target.find("name=http.errors") != std::string::npos ? 3 : 100}});
  return {.body = to_text(Json{{"metrics", metrics}})};
}

Answered cloudwatch(const Asked& asked) {
  const std::string problem = sigv4_problem(asked, "AKIDEXAMPLE", "the-secret-key", "eu-central-1", "monitoring");
  if (!problem.empty()) return refused(403, {{"__type", "SignatureDoesNotMatch"}, {"message", problem}});
  if (header_of(asked, "X-Amz-Security-Token") != "the-session")
    return refused(403, {{"__type", "InvalidClientTokenId"}, {"message", "no token"}});
  if (header_of(asked, "X-Amz-Target") != "GraniteServiceVersion20100801.GetMetricData" ||
      header_of(asked, "Content-Type") != "application/json" || header_of(asked, "Content-Encoding") != "amz-1.0")
    return refused(400, {{"__type", "UnknownOperationException"}});
  const Json body = *parse_json(asked.body);
  Json results = Json::array();
  for (const Json& query : body.at("MetricDataQueries")) {
    Json times = Json::array(), values = Json::array();
    const Json& about = query.at("MetricStat");
    CHECK(about.at("Metric").at("Dimensions").at(0).at("Name") == "LoadBalancer");
    const bool bad = about.at("Metric").at("MetricName") == "HTTPCode_Target_5XX_Count";
    for (const auto at : stretches(body.at("StartTime").get<std::int64_t>() * 1000, body.at("EndTime").get<std::int64_t>() * 1000,
                                   about.at("Period").get<std::int64_t>() * 1000)) {
      times.push_back(static_cast<double>(at) / 1000);
      values.push_back(bad ? 3.0 : 100.0);
    }
    results.push_back({{"Id", query.at("Id")}, {"Label", "x"}, {"StatusCode", "Complete"}, {"Timestamps", times}, {"Values", values}});
  }
  return {.body = to_text(Json{{"Messages", Json::array()}, {"MetricDataResults", results}})};
}

Answered newrelic(const Asked& asked) {
  if (header_of(asked, "API-Key") != "the-api-key") return refused(401, {{"error", "Unauthorized"}});
  const Json body = *parse_json(asked.body);
  const std::string nrql = body.at("variables").at("counts");
  std::int64_t from = 0, to = 0, width = 0;
  const bool understood =
      std::sscanf(
          nrql.c_str(),
          "SELECT count(*) AS 'total', filter(count(*), WHERE (error IS true)) AS 'bad' FROM Transaction WHERE (appName = 'pay') SINCE "
          "%ld UNTIL %ld TIMESERIES %ld seconds",
          &from, &to, &width) == 3;
  if (asked.target != "/graphql" || !understood || body.at("variables").at("account") != 12345678)
    return {.body = to_text(Json{{"errors", {{{"message", "NRQL Syntax Error: " + nrql}}}}})};
  const std::int64_t newest = now_ms() - 1500;  // what is later has not arrived, and is shown as 0
  Json rows = Json::array();
  for (std::int64_t at = from; at < to; at += width * 1000)
    rows.push_back({{"beginTimeSeconds", at / 1000},
                    {"endTimeSeconds", at / 1000 + width},
                    {"total", at + width * 1000 <= newest ? 100 : 0},
                    {"bad", at + width * 1000 <= newest ? 3 : 0}});
  const Json account{{"counts", {{"results", rows}}}, {"newest", {{"results", {{{"newest", newest}}}}}}};
  return {.body = to_text(Json{{"data", {{"actor", {{"account", account}}}}}})};
}

}  // namespace arashi::testing
