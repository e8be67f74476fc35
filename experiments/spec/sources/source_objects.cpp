// The keys of what measures an SLO, one table for each kind of source.
#include "experiments/spec/objects.hpp"

#include <array>

namespace arashi::spec {
namespace {

constexpr bool required = true;
constexpr bool optional = false;

constexpr std::array<std::string_view, 4> servers{"prometheus", "thanos", "mimir", "google"};
constexpr std::array<std::string_view, 2> datadog_apis{"v2", "v1"};
constexpr std::array<std::string_view, 2> statistics{"Sum", "SampleCount"};
constexpr std::array<std::string_view, 2> command_values{"counts", "counters"};

constexpr auto secret_keys = std::to_array<Key>({
    {"env", Type::text, "name of an environment variable that holds it", "DD_API_KEY"},
    {"file", Type::text, "a file that holds it", "/run/secrets/api-key"},
    {"command", Type::texts, "a program that prints it", "[gcloud, auth, print-access-token]"},
});

constexpr auto prometheus_keys = std::to_array<Key>({
    {"url", Type::url, "the server's base address, without /api/v1", "http://127.0.0.1:9090", required},
    {"bad", Type::text, "PromQL of the bad events: a counter, or a sum of counters", "sum(http_requests_total{code=~\"5..\"})", required},
    {"total", Type::text, "PromQL of all events", "sum(http_requests_total)", required},
    {"every", Type::duration, "how often it is asked", "1s", optional, "1s"},
    {"scrape", Type::duration, "how often the server scrapes; older samples than 2.5 of these are stale", "15s", optional, "15s"},
    {"headers", Type::pairs, "sent along", "{X-Team: pay}"},
    {.name = "server",
     .type = Type::choice,
     .summary = "what speaks Prometheus' API there: thanos is asked to refuse partial answers, mimir and thanos know tenants, google is "
                "Google Cloud Monitoring",
     .example = "thanos",
     .fallback = "prometheus",
     .choices = servers},
    {"tenant", Type::text, "whose data, for mimir (X-Scope-OrgID) and thanos (THANOS-TENANT)", "pay"},
    {"token", Type::object, "a bearer token; read again when the server refuses it", "{file: /run/secrets/token}", optional, "",
     &secret_object},
    {"user", Type::text, "for basic authentication", "arashi"},
    {"password", Type::object, "for basic authentication", "{env: PROMETHEUS_PASSWORD}", optional, "", &secret_object},
});

constexpr auto metrics_keys = std::to_array<Key>({
    {"targets", Type::texts, "the pages of the replicas", "[\"http://10.0.0.1:8080/metrics\"]", required},
    {"control", Type::texts, "pages of replicas that no fault hits, to compare with", "[\"http://10.0.0.2:8080/metrics\"]"},
    {"bad", Type::text, "selector of the counters of bad events", "http_requests_total{code=~\"5..\"}"},
    {"good", Type::text, "or selector of the counters of good events", "http_requests_total{code!~\"5..\"}"},
    {"total", Type::text, "selector of the counters of all events", "http_requests_total"},
    {"histogram", Type::text, "or a histogram of durations in seconds: what takes longer than the SLO's 'latency' is bad",
     "http_request_duration_seconds{handler=\"/buy\"}"},
    {"every", Type::duration, "how often every page is read, 250ms to 1s", "500ms", optional, "1s"},
    {"headers", Type::pairs, "sent along", "{X-Team: pay}"},
    {"token", Type::object, "a bearer token", "{file: /run/secrets/token}", optional, "", &secret_object},
});

constexpr auto datadog_keys = std::to_array<Key>({
    {"url", Type::url, "the API of your site", "https://api.datadoghq.eu", optional, "https://api.datadoghq.com"},
    {.name = "api",
     .type = Type::choice,
     .summary = "v2 asks /api/v2/query/timeseries, v1 the older /api/v1/query",
     .example = "v1",
     .fallback = "v2",
     .choices = datadog_apis},
    {"bad", Type::text, "query of the count of bad events", "sum:trace.http.request.errors{service:pay}.as_count()", required},
    {"total", Type::text, "query of the count of all events", "sum:trace.http.request.hits{service:pay}.as_count()", required},
    {"every", Type::duration, "how often it is asked", "30s", optional, "30s"},
    {"interval", Type::duration, "width of one count", "10s", optional, "10s"},
    {"lag", Type::duration, "counts younger than this are not complete yet", "2m", optional, "2m"},
    {"apiKey", Type::object, "DD-API-KEY", "{env: DD_API_KEY}", optional, "{env: DD_API_KEY}", &secret_object},
    {"appKey", Type::object, "DD-APPLICATION-KEY", "{env: DD_APP_KEY}", optional, "{env: DD_APP_KEY}", &secret_object},
});

constexpr auto mackerel_keys = std::to_array<Key>({
    {"url", Type::url, "the API", "https://api.mackerelio.com", optional, "https://api.mackerelio.com"},
    {"service", Type::text, "whose service metrics", "pay"},
    {"host", Type::text, "or the ID of the host whose metrics", "2u4PP3TJqbu"},
    {"bad", Type::text, "metric whose points are the bad events of a minute", "http.errors", required},
    {"total", Type::text, "metric whose points are all events of a minute", "http.requests", required},
    {"every", Type::duration, "how often it is asked", "30s", optional, "30s"},
    {"lag", Type::duration, "points younger than this may still be overwritten", "2m", optional, "2m"},
    {"apiKey", Type::object, "X-Api-Key; reading is enough", "{env: MACKEREL_APIKEY}", optional, "{env: MACKEREL_APIKEY}", &secret_object},
});

constexpr auto cloudwatch_metric_keys = std::to_array<Key>({
    {"namespace", Type::text, "the metric's namespace", "AWS/ApplicationELB", required},
    {"metric", Type::text, "its name", "HTTPCode_Target_5XX_Count", required},
    {"dimensions", Type::pairs, "all that it has", "{LoadBalancer: app/pay/50dc6c495c0c9188}"},
    {.name = "stat",
     .type = Type::choice,
     .summary = "how a period's data become a count",
     .example = "SampleCount",
     .fallback = "Sum",
     .choices = statistics},
});

constexpr auto cloudwatch_keys = std::to_array<Key>({
    {"region", Type::text, "the AWS region", "eu-central-1", required},
    {"bad", Type::object, "count of bad events", "", required, "", &cloudwatch_metric_object},
    {"total", Type::object, "count of all events", "", required, "", &cloudwatch_metric_object},
    {"url", Type::url, "another endpoint than the region's usual one", "https://vpce-1.monitoring.eu-central-1.vpce.amazonaws.com"},
    {"every", Type::duration, "how often it is asked; GetMetricData costs per metric", "30s", optional, "30s"},
    {"period", Type::duration, "width of one count: a multiple of 60s; less only for high-resolution metrics", "60s", optional, "60s"},
    {"lag", Type::duration, "counts younger than this are not complete yet", "2m", optional, "2m"},
    {"accessKey", Type::object, "the access key ID", "{env: AWS_ACCESS_KEY_ID}", optional, "{env: AWS_ACCESS_KEY_ID}", &secret_object},
    {"secretKey", Type::object, "its secret", "{env: AWS_SECRET_ACCESS_KEY}", optional, "{env: AWS_SECRET_ACCESS_KEY}", &secret_object},
    {"sessionToken", Type::object, "of temporary keys", "{env: AWS_SESSION_TOKEN}", optional, "{env: AWS_SESSION_TOKEN}", &secret_object},
    {"credentials", Type::texts, "a program that prints keys in the form of AWS' credential_process", "[aws-vault, exec, pay, --json]"},
});

constexpr auto newrelic_keys = std::to_array<Key>({
    {"url", Type::url, "the API of your region", "https://api.eu.newrelic.com", optional, "https://api.newrelic.com"},
    {"account", Type::text, "the account's number", "12345678", required},
    {"from", Type::text, "NRQL's FROM: an event type that has one event for each request", "Transaction", required},
    {"where", Type::text, "NRQL's WHERE of all events", "appName = 'pay'"},
    {"bad", Type::text, "NRQL condition of the bad ones among them", "error IS true OR duration > 0.3", required},
    {"every", Type::duration, "how often it is asked", "15s", optional, "15s"},
    {"interval", Type::duration, "width of one count, whole seconds", "10s", optional, "10s"},
    {"lag", Type::duration, "counts younger than this are not complete yet", "60s", optional, "60s"},
    {"apiKey", Type::object, "a user key", "{env: NEW_RELIC_API_KEY}", optional, "{env: NEW_RELIC_API_KEY}", &secret_object},
});

constexpr auto command_keys = std::to_array<Key>({
    {"run", Type::texts, R"(a program and its arguments, run in the spec's folder; prints lines such as {"good": 9, "bad": 1})",
     "[./counts.sh, pay]", required},
    {"every", Type::duration, "how often it is run; it is ended after nine tenths of this, at most 10s", "1s", optional, "1s"},
    {.name = "values",
     .type = Type::choice,
     .summary = "whether its numbers are the events since the line before, or counters that only grow",
     .example = "counters",
     .fallback = "counts",
     .choices = command_values},
});

constexpr auto access_log_keys = std::to_array<Key>({
    {"file", Type::text, "the log, as nginx writes it", "/var/log/nginx/access.log", required},
    {"format", Type::text, "its log_format; absent: combined, with $request_time behind it if the SLO has a 'latency'",
     "'$remote_addr [$time_local] \"$request\" $status $request_time'"},
    {"path", Type::text, "only requests whose path begins so", "/buy"},
    {"bad", Type::texts, "status codes, or classes of them, that are bad", "[5xx, \"429\"]", optional, "[5xx]"},
    {"every", Type::duration, "how often counts are taken", "500ms", optional, "1s"},
});

}  // namespace

constexpr Object secret_object{
    "secret", "where a secret is kept: {env: NAME}, {file: PATH} or {command: [program]}; never the secret itself", secret_keys};
constexpr Object prometheus_object{"prometheus", "a Prometheus server and the two queries that make an SLI", prometheus_keys};
constexpr Object metrics_object{"metrics", "the replicas' own /metrics pages, read directly", metrics_keys};
constexpr Object datadog_object{"datadog", "two queries of Datadog", datadog_keys};
constexpr Object mackerel_object{"mackerel", "two metrics of Mackerel", mackerel_keys};
constexpr Object cloudwatch_metric_object{"cloudwatchMetric", "one metric of CloudWatch", cloudwatch_metric_keys};
constexpr Object cloudwatch_object{"cloudwatch", "two metrics of Amazon CloudWatch", cloudwatch_keys};
constexpr Object newrelic_object{"newrelic", "events of New Relic", newrelic_keys};
constexpr Object command_object{"commandSource", "a program of yours that counts", command_keys};
constexpr Object access_log_object{"accessLog", "nginx' access log on this machine", access_log_keys};

}  // namespace arashi::spec
