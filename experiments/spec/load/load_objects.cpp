// The keys of a load.
#include "experiments/spec/objects.hpp"

#include <array>

namespace arashi::spec {
namespace {

constexpr bool required = true;
constexpr bool optional = false;

constexpr std::array<std::string_view, 7> methods{"GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS"};
constexpr std::array<std::string_view, 2> orders{"turn", "random"};
constexpr std::array<std::string_view, 3> versions{"1.1", "2", "h2c"};

constexpr std::string_view about_body = "sent along; may hold placeholders, such as {{uuid}}";

constexpr auto stage_keys = std::to_array<Key>({
    {"to", Type::rate, "the rate at its end", "500/s", required},
    {.name = "over",
     .type = Type::duration,
     .summary = "how long it takes, in a straight line from the rate before; 0: at once",
     .example = "60s",
     .required = required,
     .zero = true},
});

constexpr auto ramp_keys = std::to_array<Key>({
    {"from", Type::rate, "the first rate", "10/s", required},
    {"to", Type::rate, "the last rate, which then goes on", "500/s"},
    {"over", Type::duration, "how long it takes to get there, from the load's start", "60s"},
    {"stages", Type::list, "several, one after the other, instead of 'to' and 'over'",
     "[{to: 500/s, over: 60s}, {to: 500/s, over: 2m}, {to: 10/s, over: 0s}]", optional, "", &stage_object},
});

constexpr auto record_keys = std::to_array<Key>({
    {"file", Type::text, "seconds, one a line, JSON Lines with 't', or an access log; relative to the spec; the first is the load's start",
     "monday.log", required},
    {"speed", Type::special, "so many times faster than it was", "2", optional, "1"},
    {"repeat", Type::special, "from the beginning again at its end: true or false", "true", optional, "false"},
});

constexpr auto request_keys = std::to_array<Key>({
    {"url", Type::url, "where it goes", "http://10.0.0.1/cart", required},
    {.name = "method", .type = Type::choice, .summary = "HTTP method", .example = "POST", .fallback = "GET", .choices = methods},
    {"headers", Type::pairs, "sent along, besides the load's", "{Content-Type: application/json}"},
    {"body", Type::text, about_body, R"('{"key": "{{uuid}}"}')"},
    {"bodyFile", Type::text, "the same out of a file, relative to the spec", "order.json"},
    {"weight", Type::integer, "its share among the load's requests", "8", optional, "1"},
});

constexpr auto data_keys = std::to_array<Key>({
    {"file", Type::text, "CSV with a line of names, or JSON Lines; relative to the spec", "users.csv", required},
    {.name = "order",
     .type = Type::choice,
     .summary = "a row for each request: one after the other, or drawn",
     .example = "random",
     .fallback = "turn",
     .choices = orders},
});

constexpr auto tls_keys = std::to_array<Key>({
    {"ca", Type::text, "PEM file of who may vouch for the server; absent: the machine's own authorities", "pki/ca.pem"},
    {"cert", Type::text, "PEM file of the client's certificate", "pki/client.pem"},
    {"key", Type::text, "PEM file of its key", "pki/client.key"},
    {"serverName", Type::text, "who is asked for (SNI) and must answer, instead of the URL's host", "shop.internal"},
    {"insecure", Type::special, "true: whoever answers will do; arashi plan warns", "true", optional, "false"},
});

constexpr auto load_keys = std::to_array<Key>({
    {"url", Type::url, "where the requests go", "http://10.0.0.1/checkout"},
    {"rate", Type::rate, "how many are started, whatever the answers do (open loop); or a ramp", "200/s"},
    {"arrivals", Type::special, "even, poisson (at random with that rate), or recorded ones: {file: monday.log}", "poisson", optional,
     "even"},
    {"seed", Type::special, "a whole number: of what is drawn; the same seed, the same requests at the same times", "7", optional, "1"},
    {.name = "method", .type = Type::choice, .summary = "HTTP method", .example = "POST", .fallback = "GET", .choices = methods},
    {"headers", Type::pairs, "sent along", "{Content-Type: application/json}"},
    {"body", Type::text, about_body, R"('{"amount": 1}')"},
    {"bodyFile", Type::text, "the same out of a file, relative to the spec", "order.json"},
    {"requests", Type::list, "several, drawn by their weights, instead of url, method and body",
     R"([{url: "http://10.0.0.1/", weight: 8}])", optional, "", &request_object},
    {"data", Type::object, "a table with values for {{data.COLUMN}}", "{file: users.csv}", optional, "", &data_object},
    {"timeout", Type::duration, "a request that takes longer is cut off and bad", "5s", optional, "5s"},
    {"connections", Type::integer,
     "most at once; of HTTP/2: to each host, each with up to 100 requests; absent: rate times timeout, at "
     "most 1000 requests at once",
     "100"},
    {.name = "http",
     .type = Type::choice,
     .summary = "1.1, 2 (agreed on in the TLS handshake), or h2c (HTTP/2 without TLS)",
     .example = "2",
     .fallback = "1.1",
     .choices = versions},
    {"tls", Type::object, "of https:// URLs", "{ca: pki/ca.pem}", optional, "", &tls_object},
});

}  // namespace

constexpr Object stage_object{"stage", "a part of a ramp", stage_keys};
constexpr Object ramp_object{"ramp", "a rate that changes", ramp_keys};
constexpr Object record_object{"record", "recorded times at which requests start", record_keys};
constexpr Object request_object{"request", "one of a load's requests", request_keys};
constexpr Object data_object{"data", "a table, a row for each request", data_keys};
constexpr Object tls_object{"tls", "how the server is known, and what we show it", tls_keys};
constexpr Object load_object{"load", "HTTP requests at their times, whatever the answers do", load_keys};

}  // namespace arashi::spec
