// What measures an SLO: the sections of the spec that say where its counts come from.
#include "experiments/spec/sections.hpp"
#include "experiments/spec/sources/series.hpp"
#include "injector/core/suggest.hpp"

#include <algorithm>
#include <array>

namespace arashi::spec {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr std::array<std::string_view, 8> kinds{"prometheus", "metrics",  "datadog", "mackerel",
                                                "cloudwatch", "newrelic", "command", "accessLog"};

void read_secret(const Fields& fields, std::string_view key, Secret& out) {
  fields.object(key, [&](const Fields& secret) {
    out = {};
    secret.text("env", out.env);
    secret.text("file", out.file);
    secret.texts("command", out.command);
    if (fields.find(key)->kind == Tree::Kind::map &&
        static_cast<int>(secret.has("env")) + static_cast<int>(secret.has("file")) + static_cast<int>(secret.has("command")) != 1)
      secret.complain("needs one of env, file and command: where the secret is kept, such as {file: /run/secrets/api-key}");
  });
}

// The spec is copied into each run's folder and into its report, for many to read.
void read_headers(const Fields& fields, std::map<std::string, std::string>& out) {
  fields.pairs("headers", out);
  constexpr std::array<std::string_view, 7> secret{"authorization", "cookie",  "x-api-key",         "api-key",
                                                   "dd-api-key",    "x-token", "dd-application-key"};
  for (const auto& [name, value] : out) {
    std::string lower = name;
    std::ranges::transform(lower, lower.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    if (std::ranges::find(secret, std::string_view(lower)) != secret.end())
      fields.report.complain(fields.path("headers"), "'" + name + "' is a secret, and the spec is copied into every run's folder; write " +
                                                         "token: {env: NAME} or token: {file: PATH}");
  }
}

void read_url(const Fields& fields, std::string& out) {
  fields.text("url", out);
  while (out.ends_with('/')) out.pop_back();
}

void at_least(const Fields& fields, std::string_view key, Duration value, Duration least) {
  if (value < least) fields.report.complain(fields.path(key), "is " + to_text(value) + ": at least " + to_text(least) + " is needed");
}

PrometheusSource read_prometheus(const Fields& fields) {
  PrometheusSource source;
  read_url(fields, source.url);
  fields.text("bad", source.bad);
  fields.text("total", source.total);
  fields.duration("every", source.every);
  fields.duration("scrape", source.scrape);
  read_headers(fields, source.headers);
  fields.text("server", source.server);
  fields.text("tenant", source.tenant);
  read_secret(fields, "token", source.token);
  fields.text("user", source.user);
  read_secret(fields, "password", source.password);
  if (fields.has("tenant") && source.server != "thanos" && source.server != "mimir")
    fields.report.complain(fields.path("tenant"), "is for server: mimir or server: thanos, " + source.server + " has no tenants");
  if (fields.has("user") != fields.has("password")) fields.complain("basic authentication needs both 'user' and 'password'");
  if (fields.has("user") && fields.has("token")) fields.complain("has both 'token' and 'user': one of them is sent");
  return source;
}

void check_selector_of(const Fields& fields, std::string_view key, const std::string& text) {
  if (text.empty()) return;
  if (const auto parsed = parse_series(text); !parsed) fields.report.complain(fields.path(key), parsed.error().message);
}

void check_pages(const Fields& fields, std::string_view key, const std::vector<std::string>& urls) {
  for (const auto& url : urls)
    if (!url.starts_with("http://") && !url.starts_with("https://"))
      fields.report.complain(fields.path(key), "'" + url + "' is not a URL of http or https, such as http://10.0.0.1:8080/metrics");
}

MetricsSource read_metrics(const Fields& fields) {
  MetricsSource source;
  fields.texts("targets", source.targets);
  fields.texts("control", source.control);
  check_pages(fields, "targets", source.targets);
  check_pages(fields, "control", source.control);
  for (const auto& url : source.control)
    if (std::ranges::find(source.targets, url) != source.targets.end())
      fields.report.complain(fields.path("control"), "'" + url + "' is among the targets as well: a replica is in one group");
  for (const auto& [key, out] :
       {std::pair{"bad", &source.bad}, {"good", &source.good}, {"total", &source.total}, {"histogram", &source.histogram}}) {
    fields.text(key, *out);
    check_selector_of(fields, key, *out);
  }
  fields.duration("every", source.every);
  at_least(fields, "every", source.every, milliseconds(100));
  read_headers(fields, source.headers);
  read_secret(fields, "token", source.token);
  const bool counters = fields.has("bad") || fields.has("good") || fields.has("total");
  if (fields.has("histogram") && counters)
    fields.complain("has 'histogram' and counters: the histogram counts all events itself, keep one of the two");
  else if (!fields.has("histogram") && (fields.has("bad") == fields.has("good") || !fields.has("total")))
    fields.complain("needs 'total' and one of 'bad' and 'good' (counters), or 'histogram' and the SLO's 'latency'");
  return source;
}

// What a query adds up must be counts: of means and rates nobody can tell how many events they stand for.
void check_datadog_query(const Fields& fields, std::string_view key, const std::string& query) {
  if (query.empty()) return;
  if (query.find(".as_count()") == std::string::npos && query.find(".rollup(sum") == std::string::npos)
    fields.report.complain(fields.path(key), "is no count: write sum:METRIC{TAGS}.as_count()");
  for (const std::string_view wrong : {"avg:", "min:", "max:"})
    if (query.find(wrong) != std::string::npos)
      fields.report.complain(fields.path(key), "'" + std::string(wrong) + "' gives one host's share and not the count of all: write sum:");
  if (query.find(" by {") != std::string::npos)
    fields.report.complain(fields.path(key), "'by {…}' gives several series where one is wanted: take it away");
}

DatadogSource read_datadog(const Fields& fields) {
  DatadogSource source;
  read_url(fields, source.url);
  fields.text("api", source.api);
  fields.text("bad", source.bad);
  fields.text("total", source.total);
  check_datadog_query(fields, "bad", source.bad);
  check_datadog_query(fields, "total", source.total);
  fields.duration("every", source.every);
  fields.duration("interval", source.interval);
  fields.duration("lag", source.lag);
  at_least(fields, "every", source.every, seconds(1));
  at_least(fields, "interval", source.interval, seconds(1));
  read_secret(fields, "apiKey", source.api_key);
  read_secret(fields, "appKey", source.app_key);
  return source;
}

MackerelSource read_mackerel(const Fields& fields) {
  MackerelSource source;
  read_url(fields, source.url);
  fields.text("service", source.service);
  fields.text("host", source.host);
  fields.text("bad", source.bad);
  fields.text("total", source.total);
  fields.duration("every", source.every);
  fields.duration("lag", source.lag);
  at_least(fields, "every", source.every, seconds(1));
  read_secret(fields, "apiKey", source.api_key);
  if (fields.has("service") == fields.has("host")) fields.complain("needs one of 'service' and 'host': whose metrics they are");
  return source;
}

void read_cloudwatch_metric(const Fields& fields, std::string_view key, CloudwatchMetric& out) {
  fields.object(key, [&](const Fields& metric) {
    metric.text("namespace", out.name_space);
    metric.text("metric", out.metric);
    metric.pairs("dimensions", out.dimensions);
    metric.text("stat", out.stat);
    if (out.dimensions.size() > 30) metric.complain("has more than 30 dimensions, CloudWatch knows no such metric");
  });
}

CloudwatchSource read_cloudwatch(const Fields& fields) {
  CloudwatchSource source;
  fields.text("region", source.region);
  read_url(fields, source.url);
  read_cloudwatch_metric(fields, "bad", source.bad);
  read_cloudwatch_metric(fields, "total", source.total);
  fields.duration("every", source.every);
  fields.duration("period", source.period);
  fields.duration("lag", source.lag);
  at_least(fields, "every", source.every, seconds(1));
  constexpr std::array<Duration, 4> fine{seconds(1), seconds(5), seconds(10), seconds(30)};
  const bool known = std::ranges::find(fine, source.period) != fine.end() || source.period % std::chrono::minutes(1) == Duration{};
  if (!known) fields.report.complain(fields.path("period"), "is " + to_text(source.period) + ": 1s, 5s, 10s, 30s or whole minutes");
  read_secret(fields, "accessKey", source.access_key);
  read_secret(fields, "secretKey", source.secret_key);
  read_secret(fields, "sessionToken", source.session_token);
  fields.texts("credentials", source.credentials);
  if (fields.has("credentials") && (fields.has("accessKey") || fields.has("secretKey") || fields.has("sessionToken")))
    fields.complain("has 'credentials' and keys: one of them is used");
  if (fields.has("accessKey") != fields.has("secretKey")) fields.complain("needs both 'accessKey' and 'secretKey'");
  return source;
}

NewrelicSource read_newrelic(const Fields& fields) {
  NewrelicSource source;
  read_url(fields, source.url);
  fields.text("account", source.account);
  if (!source.account.empty() && source.account.find_first_not_of("0123456789") != std::string::npos)
    fields.report.complain(fields.path("account"), "'" + source.account + "' is not an account's number, such as 12345678");
  fields.text("from", source.from);
  fields.text("where", source.where);
  fields.text("bad", source.bad);
  fields.duration("every", source.every);
  fields.duration("interval", source.interval);
  fields.duration("lag", source.lag);
  at_least(fields, "every", source.every, seconds(1));
  if (source.interval % seconds(1) != Duration{} || source.interval <= Duration{})
    fields.report.complain(fields.path("interval"), "is " + to_text(source.interval) + ": whole seconds are needed");
  read_secret(fields, "apiKey", source.api_key);
  return source;
}

CommandSource read_command(const Fields& fields) {
  CommandSource source;
  fields.texts("run", source.run);
  fields.duration("every", source.every);
  at_least(fields, "every", source.every, milliseconds(100));
  fields.text("values", source.values);
  return source;
}

bool is_status(const std::string& text) {
  if (text.size() != 3 || text[0] < '1' || text[0] > '5') return false;
  const auto digit = [](char c) { return c >= '0' && c <= '9'; };
  return text.substr(1) == "xx" || (digit(text[1]) && digit(text[2]));
}

AccessLogSource read_access_log(const Fields& fields) {
  AccessLogSource source;
  fields.text("file", source.file);
  fields.text("format", source.format);
  fields.text("path", source.path);
  fields.texts("bad", source.bad);
  fields.duration("every", source.every);
  at_least(fields, "every", source.every, milliseconds(100));
  for (const auto& status : source.bad)
    if (!is_status(status))
      fields.report.complain(fields.path("bad"), "'" + status + "' is not a status such as 503, or a class such as 5xx");
  if (!source.format.empty() && source.format.find("$status") == std::string::npos)
    fields.report.complain(fields.path("format"), "has no $status: without it nobody knows which requests were bad");
  if (!source.path.empty() && !source.format.empty() && source.format.find("$request") == std::string::npos)
    fields.report.complain(fields.path("format"), "has no $request, which 'path' needs");
  return source;
}

void check_latency(const Fields& slo, const Measure& out) {
  const auto* metrics = std::get_if<MetricsSource>(&out.source);
  const auto* log = std::get_if<AccessLogSource>(&out.source);
  if (metrics != nullptr && !metrics->histogram.empty() && !slo.has("latency"))
    slo.complain("has a histogram and no 'latency': from which duration on is a request bad, such as latency: 300ms");
  if (metrics != nullptr && metrics->histogram.empty() && slo.has("latency"))
    slo.report.complain(slo.path("latency"), "needs metrics.histogram: counters say nothing about durations");
  const bool timed = log == nullptr || log->format.empty() || log->format.find("$request_time") != std::string::npos;
  if (slo.has("latency") && !timed)
    slo.report.complain(slo.path("latency"), "needs $request_time in accessLog.format: this log says nothing about durations");
}

}  // namespace

Measure read_measure(const Fields& slo) {
  Measure out{.path = slo.path()};
  slo.text("load", out.load);
  slo.duration("latency", out.latency);
  slo.rate("rate", out.rate);
  std::vector<std::string_view> given;
  for (const std::string_view kind : kinds)
    if (slo.has(kind)) given.push_back(kind);
  if (slo.has("load")) given.insert(given.begin(), "load");
  if (given.size() > 1)
    slo.complain("has both '" + std::string(given[0]) + "' and '" + std::string(given[1]) + "': one of them measures it");
  if (given.empty() && !slo.has("from")) {
    std::string all;
    for (const std::string_view kind : kinds) all.append(all.empty() ? "" : ", ").append(kind);
    slo.complain("has no source that measures it: 'load' (the name of a load) or one of " + all + " is needed");
  }
  slo.object("prometheus", [&](const Fields& source) { out.source = read_prometheus(source); });
  slo.object("metrics", [&](const Fields& source) { out.source = read_metrics(source); });
  slo.object("datadog", [&](const Fields& source) { out.source = read_datadog(source); });
  slo.object("mackerel", [&](const Fields& source) { out.source = read_mackerel(source); });
  slo.object("cloudwatch", [&](const Fields& source) { out.source = read_cloudwatch(source); });
  slo.object("newrelic", [&](const Fields& source) { out.source = read_newrelic(source); });
  slo.object("command", [&](const Fields& source) { out.source = read_command(source); });
  slo.object("accessLog", [&](const Fields& source) { out.source = read_access_log(source); });
  check_latency(slo, out);
  return out;
}

// ---- what is known of each kind beforehand

std::string_view name_of(const Source& source) { return source.index() == 0 ? std::string_view() : kinds.at(source.index() - 1); }

namespace {

struct Lag {
  Duration operator()(const std::monostate& /*none*/) const { return {}; }
  Duration operator()(const PrometheusSource& source) const { return source.scrape + source.every + seconds(1); }
  Duration operator()(const MetricsSource& source) const { return source.every * 2; }
  Duration operator()(const DatadogSource& source) const { return source.lag + source.interval + source.every; }
  Duration operator()(const MackerelSource& source) const { return source.lag + std::chrono::minutes(1) + source.every; }
  Duration operator()(const CloudwatchSource& source) const { return source.lag + source.period + source.every; }
  Duration operator()(const NewrelicSource& source) const { return source.lag + source.interval + source.every; }
  Duration operator()(const CommandSource& source) const { return source.every * 2; }
  Duration operator()(const AccessLogSource& source) const { return source.every + milliseconds(500); }
};

}  // namespace

Duration usual_lag(const Source& source) { return std::visit(Lag{}, source); }

std::string name_of(const Measure& measure) { return measure.load.empty() ? std::string(name_of(measure.source)) : "load " + measure.load; }

std::vector<std::string> names_of_measures(const Slo& slo) {
  std::vector<std::string> names;
  for (std::size_t i = 0; i < slo.measures.size(); ++i) {
    const std::string name = name_of(slo.measures[i]);
    const auto like = [&](const Measure& other) { return name_of(other) == name; };
    const bool alone = std::ranges::count_if(slo.measures, like) < 2;
    names.push_back(alone ? name : name + " " + std::to_string(i + 1));
  }
  return names;
}

}  // namespace arashi::spec
