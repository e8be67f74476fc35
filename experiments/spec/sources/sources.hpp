// What measures an SLO besides a load: where its counts of good and bad events come from. Pure data.
#pragma once

#include "injector/core/units.hpp"

#include <map>
#include <string>
#include <variant>
#include <vector>

namespace arashi::spec {

// Where a secret is kept. The secret itself never stands in a spec, which is copied into every run's folder.
struct Secret {
  std::string env, file;             // name of an environment variable; or a file, its blanks at the end cut off
  std::vector<std::string> command;  // or a program that prints it
  [[nodiscard]] bool given() const { return !env.empty() || !file.empty() || !command.empty(); }
};

struct PrometheusSource {
  std::string url;                             // base, without /api/v1
  std::string bad, total;                      // PromQL counts: counters or sum(counter); read at each poll and differenced
  Duration every = std::chrono::seconds(1);    // poll period
  Duration scrape = std::chrono::seconds(15);  // how often the server scrapes: a sample older than 2.5 of them is stale
  std::map<std::string, std::string> headers;
  std::string server = "prometheus";  // or thanos, mimir, google: what speaks the API
  std::string tenant;                 // of Thanos and Mimir
  Secret token;                       // bearer token
  std::string user;                   // basic authentication
  Secret password;
};

// The replicas' own /metrics pages. A selector is PromQL's: name{label="value", other=~"regex"}.
struct MetricsSource {
  std::vector<std::string> targets, control;  // URLs; control: replicas that no fault hits
  std::string bad, good, total;               // selectors of counters: bad or good, and total; or
  std::string histogram;                      // a histogram; what is above the SLO's latency is bad
  Duration every = std::chrono::seconds(1);
  std::map<std::string, std::string> headers;
  Secret token;
};

struct DatadogSource {
  std::string url = "https://api.datadoghq.com";
  std::string api = "v2";  // or v1
  std::string bad, total;  // queries of counts, such as sum:trace.http.request.hits{service:pay}.as_count()
  Duration every = std::chrono::seconds(30), interval = std::chrono::seconds(10);
  Duration lag = std::chrono::minutes(2);  // how old counts are when they are complete
  Secret api_key{.env = "DD_API_KEY", .file = {}, .command = {}}, app_key{.env = "DD_APP_KEY", .file = {}, .command = {}};
};

struct MackerelSource {
  std::string url = "https://api.mackerelio.com";
  std::string service, host;  // one of them
  std::string bad, total;     // names of metrics whose points are the counts of a minute
  Duration every = std::chrono::seconds(30), lag = std::chrono::minutes(2);
  Secret api_key{.env = "MACKEREL_APIKEY", .file = {}, .command = {}};
};

struct CloudwatchMetric {
  std::string name_space, metric, stat = "Sum";
  std::map<std::string, std::string> dimensions;
};

struct CloudwatchSource {
  std::string region, url;  // url: instead of the region's usual endpoint
  CloudwatchMetric bad, total;
  Duration every = std::chrono::seconds(30), period = std::chrono::seconds(60), lag = std::chrono::minutes(2);
  Secret access_key{.env = "AWS_ACCESS_KEY_ID", .file = {}, .command = {}};
  Secret secret_key{.env = "AWS_SECRET_ACCESS_KEY", .file = {}, .command = {}};
  Secret session_token{.env = "AWS_SESSION_TOKEN", .file = {}, .command = {}};
  std::vector<std::string> credentials;  // a program that prints keys as AWS' credential_process does; instead of the three
};

struct NewrelicSource {
  std::string url = "https://api.newrelic.com";
  std::string account;           // its number
  std::string from, where, bad;  // NRQL: event type; condition of all events; condition of the bad ones among them
  Duration every = std::chrono::seconds(15), interval = std::chrono::seconds(10), lag = std::chrono::seconds(60);
  Secret api_key{.env = "NEW_RELIC_API_KEY", .file = {}, .command = {}};
};

struct CommandSource {
  std::vector<std::string> run;  // prints JSON lines {"t": …, "good": …, "bad": …}
  Duration every = std::chrono::seconds(1);
  std::string values = "counts";  // since the line before; or counters: since the beginning
};

struct AccessLogSource {
  std::string file, format;                // format: nginx' log_format; empty: combined, with $request_time at its end if it is there
  std::string path;                        // only requests whose path begins so
  std::vector<std::string> bad = {"5xx"};  // status codes, or classes of them
  Duration every = std::chrono::seconds(1);
};

using Source = std::variant<std::monostate, PrometheusSource, MetricsSource, DatadogSource, MackerelSource, CloudwatchSource,
                            NewrelicSource, CommandSource, AccessLogSource>;

// "prometheus", "metrics", … as the spec's key calls it; empty for none.
std::string_view name_of(const Source& source);
// How old its newest counts may be while all is well: what the guard cannot see yet.
Duration usual_lag(const Source& source);

}  // namespace arashi::spec
