// A load: what is requested, when, and how; and what contradicts itself.
#include "experiments/spec/load/load_files.hpp"
#include "experiments/spec/load/template.hpp"
#include "experiments/spec/parse.hpp"
#include "tests/unit/spec/catalogue.hpp"

#include <doctest/doctest.h>

#include <algorithm>

using namespace arashi;
using namespace std::chrono_literals;

namespace {

const std::map<std::string, std::string> files{
    {"times.txt", "0.5\n1.0\n\n0.75\n"},
    {"one.txt", "7\n"},
    {"long.txt", "0\n2000000\n"},
    {"bad.txt", "1\ntwo\n"},
    {"users.csv", "name,city\nann,\"São Paulo\"\n\"O\"\"Hara, Bo\",Oslo\n"},
    {"lines.csv", "name\n\"two\nlines\"\n"},
    {"order.json", "{\n  \"key\": \"{{uuid}}\",\n  \"who\": \"{{data.nme}}\"\n}\n"},
    {"ca.pem", "-----BEGIN CERTIFICATE-----\n"},
    {"client.key", "-----BEGIN EC PRIVATE KEY-----\n"},
};

spec::Parsed read(const std::string& load) {
  return spec::parse(
      "apiVersion: arashi.dev/v1\nkind: Experiment\nmetadata: {name: x}\nspec:\n  timeline: []\n  load:\n    l: " + load + "\n",
      test::catalogue(), {}, [](const std::string& name) -> Result<std::string> {
        const auto found = files.find(name);
        return found == files.end() ? Result<std::string>(fail(Blame::input, "can't read the file '", name, "'")) : found->second;
      });
}

spec::Load good(const std::string& load) {
  const auto parsed = read(load);
  for (const auto& problem : parsed.problems) FAIL_CHECK(spec::to_text("f", problem));
  REQUIRE(parsed.experiment.loads.size() == 1);
  return parsed.experiment.loads[0];
}

std::string problems(const std::string& load) {
  std::string text;
  for (const auto& problem : read(load).problems) text += spec::to_text("f", problem) + "\n";
  return text;
}

}  // namespace

TEST_CASE("a ramp is read in its short and in its long form") {
  const auto brief = good("{url: 'http://x/', rate: {from: 10/s, to: 500/s, over: 60s}}");
  CHECK(brief.rate.per_second == 10);
  REQUIRE(brief.arrivals.stages.size() == 1);
  CHECK(brief.arrivals.stages[0].to.per_second == 500);
  CHECK(brief.arrivals.stages[0].over == 60s);
  const auto whole =
      good("{url: 'http://x/', arrivals: poisson, seed: 9, rate: {from: 10/s, stages: [{to: 50/s, over: 5s}, {to: 1/m, over: 0}]}}");
  REQUIRE(whole.arrivals.stages.size() == 2);
  CHECK(whole.arrivals.stages[1].over == 0s);
  CHECK(whole.arrivals.poisson);
  CHECK(whole.seed == 9);
  CHECK_FALSE(good("{url: 'http://x/', arrivals: even, rate: 1/s}").arrivals.poisson);
}

TEST_CASE("recorded arrivals are read, faster and repeated") {
  CHECK(good("{url: 'http://x/', arrivals: {file: times.txt}}").arrivals.record == std::vector<Duration>{0s, 250ms, 500ms});
  const auto fast = good("{url: 'http://x/', arrivals: {file: times.txt, speed: 2.5, repeat: true}}");
  CHECK(fast.arrivals.record == std::vector<Duration>{0s, 100ms, 200ms});
  CHECK(fast.arrivals.period == 300ms);
}

TEST_CASE("several requests share the load's headers, and their own go before") {
  const auto load = good(
      "{rate: 1/s, headers: {A: '1', B: '2'}, requests: [{url: 'http://x/{{random 1..9}}', weight: 8}, "
      "{url: 'http://x/b', method: POST, body: b, headers: {B: '{{uuid}}'}}]}");
  const auto all = spec::requests_of(load);
  REQUIRE(all.size() == 2);
  CHECK(all[0].weight == 8);
  CHECK(all[0].headers == std::map<std::string, std::string>{{"A", "1"}, {"B", "2"}});
  CHECK(all[1].headers == std::map<std::string, std::string>{{"A", "1"}, {"B", "{{uuid}}"}});
  CHECK(all[1].method == "POST");
  CHECK(all[1].weight == 1);
  const auto one = spec::requests_of(good("{rate: 1/s, url: 'http://x/', headers: {A: '1'}}"));
  REQUIRE(one.size() == 1);
  CHECK(one[0].headers.at("A") == "1");
}

TEST_CASE("HTTP/2 and TLS are read") {
  const auto load = good("{url: 'https://x/', rate: 1/s, http: 2, tls: {ca: ca.pem, cert: ca.pem, key: client.key, serverName: shop}}");
  CHECK(load.http == spec::Http::two);
  CHECK(load.tls.ca == "ca.pem");
  CHECK(load.tls.server_name == "shop");
  CHECK(good("{url: 'http://x/', rate: 1/s, http: h2c}").http == spec::Http::two_in_clear);
  CHECK(good("{url: 'http://x/', rate: 1/s, http: '1.1'}").http == spec::Http::one);
  CHECK(good("{url: 'https://x/', rate: 1/s, tls: {insecure: true}}").tls.insecure);
}

TEST_CASE("data come from CSV or JSON Lines") {
  const auto load = good("{url: 'http://x/{{data.city}}', rate: 1/s, data: {file: users.csv, order: random}}");
  CHECK(load.data.columns == std::vector<std::string>{"name", "city"});
  CHECK(load.data.rows == std::vector<std::vector<std::string>>{{"ann", "São Paulo"}, {"O\"Hara, Bo", "Oslo"}});
  CHECK(load.data.random);
  const auto rows = spec::parse_rows("{\"id\": 7, \"ok\": true}\r\n\n{\"ok\": false, \"id\": \"x\"}");
  REQUIRE_MESSAGE(rows, rows.error().message);
  CHECK(rows->rows == std::vector<std::vector<std::string>>{{"7", "true"}, {"x", "false"}});
  const auto crlf = spec::parse_rows("\xEF\xBB\xBF a , b \r\n1,\r\n\r\n\"x\ny\",2");
  REQUIRE_MESSAGE(crlf, crlf.error().message);
  CHECK(crlf->columns == std::vector<std::string>{"a", "b"});
  CHECK(crlf->rows == std::vector<std::vector<std::string>>{{"1", ""}, {"x\ny", "2"}});
}

TEST_CASE("a file that is no table or no record is refused with its line") {
  const std::pair<const char*, const char*> rows[] = {
      {"", "holds no row"},
      {"a,b\n", "holds no row"},
      {"a,a\n1,2", "line 1: two columns are named 'a'"},
      {"a,\n1,2", "line 1: column 2 has no name"},
      {"a,b\n1,2\n1,2,3\n", "line 3: 3 values, and there are 2 columns"},
      {"a\n\"x\n", "line 2: a quoted value is not closed"},
      {"a\n\"x\"y\n", "line 2: a quoted value is not closed, or goes on behind its quote"},
      {"{\"a\": 1}\n{\"b\": 1}", "line 2: 'a' of the first line is missing"},
      {"{\"a\": 1}\n{\"a\": 1, \"b\": 2}", "line 2: has a name that the first line has not"},
      {"{\"a\": [1]}", "line 1: 'a' is no text, number, true or false"},
      {"{}\n", "line 1: the object has no names"},
      {"{\"a\": 1}\n[1]", "line 2: '[1]' is no JSON object"},
  };
  for (const auto& each : rows) {
    const auto* const text = each.first;
    const auto* const message = each.second;
    const auto parsed = spec::parse_rows(text);
    CAPTURE(text);
    REQUIRE_FALSE(parsed);
    CHECK_MESSAGE(parsed.error().message.find(message) != std::string::npos, parsed.error().message);
  }
  const std::pair<const char*, const char*> times[] = {
      {"", "holds no time at all"},
      {"1\nx\n", "line 2: 'x' tells no time"},
      {R"({"t": "1"})", R"(line 1: '{"t": "1"}' tells no time)"},
      {"nan", "tells no time"},
      {"1 [25/Nov/2026:10:00:00 +0000]\n5", "line 2: seconds and an access log are mixed"},
      {"[25/Nov/2026:10:00: 0 +0000]", "line 1: '[25/Nov/2026:10:00: 0 +0000]' tells no time"},
      {"1\n1e300", "spans more than"},
  };
  for (const auto& each : times) {
    const auto* const text = each.first;
    const auto* const message = each.second;
    const auto parsed = spec::parse_arrivals(text);
    CAPTURE(text);
    REQUIRE_FALSE(parsed);
    CHECK_MESSAGE(parsed.error().message.find(message) != std::string::npos, parsed.error().message);
  }
}

TEST_CASE("arrivals come as seconds, JSON Lines or an access log") {
  CHECK(*spec::parse_arrivals("1763719200.25\n1763719200\n") == std::vector<Duration>{0s, 250ms});
  CHECK(*spec::parse_arrivals("{\"t\": 3}\n{\"t\": 3.5, \"path\": \"/\"}") == std::vector<Duration>{0s, 500ms});
  const auto log = spec::parse_arrivals(
      "10.0.0.9 - - [25/Nov/2026:10:00:00 +0000] \"GET / HTTP/1.1\" 200 5\n"
      "10.0.0.9 - - [25/Nov/2026:11:00:00 +0100] \"GET / HTTP/1.1\" 200 5\n"
      "10.0.0.9 - - [25/Nov/2026:10:00:02 +0000] \"GET / HTTP/1.1\" 200 5\n");
  REQUIRE_MESSAGE(log, log.error().message);
  CHECK(*log == std::vector<Duration>{0s, 500ms, 2s});
}

TEST_CASE("placeholders are read, and braces that are none stay") {
  const auto parsed = spec::parse_template(R"({"a":{"b":{{random -5..5}}}} {{ request }}{{data.c}}{{"{{x}}"}})", {"b", "c"});
  const auto* pieces = std::get_if<spec::Template>(&parsed);
  REQUIRE(pieces != nullptr);
  REQUIRE(pieces->size() == 6);
  CHECK(pieces->at(0).text == R"({"a":{"b":)");
  CHECK(pieces->at(1).kind == spec::Piece::Kind::random);
  CHECK(pieces->at(1).low == -5);
  CHECK(pieces->at(1).high == 5);
  CHECK(pieces->at(2).text == "}} ");
  CHECK(pieces->at(3).kind == spec::Piece::Kind::request);
  CHECK(pieces->at(4).column == 1);
  CHECK(pieces->at(5).text == "{{x}}");
}

TEST_CASE("what contradicts itself in a load is told at its place") {
  const std::pair<const char*, const char*> table[] = {
      {"{url: 'http://x/'}", "f:7:8: spec.load.l: 'rate' is missing: how many requests are started, such as rate: 200/s\n"},
      {"{rate: 1/s}", "f:7:8: spec.load.l: 'url' is missing: where the requests go, such as url: http://10.0.0.1/checkout\n"},
      {"{url: 'http://x/', rate: {from: 1/s}}", "f:7:33: spec.load.l.rate: has no end: add 'to' and 'over', or 'stages'\n"},
      {"{url: 'http://x/', rate: {from: 1/s, to: 2/s}}",
       "f:7:33: spec.load.l.rate: 'over' is missing: how long it takes, such as over: 60s\n"},
      {"{url: 'http://x/', rate: {from: 1/s, to: 2/s, over: 1s, stages: []}}",
       "f:7:33: spec.load.l.rate: has both 'stages' and 'to' or 'over': make it one more stage\n"},
      {"{url: 'http://x/', rate: {from: 1/s, to: 2000000/s, over: 1s}}",
       "f:7:49: spec.load.l.rate.to: is 2000000/s: at most 1000000/s is possible\n"},
      {"{url: 'http://x/', rate: 1/s, arrivals: {file: times.txt}}",
       "f:7:33: spec.load.l.rate: is not needed: the arrivals are recorded; take one of the two away\n"},
      {"{url: 'http://x/', rate: 1/s, arrivals: poison}",
       "f:7:48: spec.load.l.arrivals: is 'poison': write even, poisson or {file: RECORD}\n"},
      {"{url: 'http://x/', arrivals: {file: none.txt}}", "f:7:44: spec.load.l.arrivals.file: can't read the file 'none.txt'\n"},
      {"{url: 'http://x/', arrivals: {file: bad.txt}}",
       "f:7:44: spec.load.l.arrivals.file: line 2: 'two' tells no time: seconds such as 0.25, {\"t\": 0.25}, or an access log's "
       "[25/Nov/2026:10:00:00 +0000] is expected\n"},
      {"{url: 'http://x/', arrivals: {file: one.txt, repeat: true}}",
       "f:7:61: spec.load.l.arrivals.repeat: needs a record of some length: all its requests start at the same time\n"},
      {"{url: 'http://x/', arrivals: {file: times.txt, speed: fast}}",
       "f:7:62: spec.load.l.arrivals.speed: is 'fast': a number from 0.001 to 1000 is expected, such as speed: 2\n"},
      {"{url: 'http://x/', arrivals: {file: long.txt, speed: 0.001}}",
       "f:7:61: spec.load.l.arrivals.speed: makes the record longer than 1000000000 seconds\n"},
      {"{url: 'http://x/{{uid}}', rate: 1/s}",
       "f:7:14: spec.load.l.url: character 10: '{{uid}}': unknown placeholder; did you mean 'uuid'?\n"},
      {"{url: 'http://x/', rate: 1/s, method: POST, body: 'a {{random 9..1}}'}",
       "f:7:58: spec.load.l.body: character 3: '{{random 9..1}}': the first number is the larger one; did you mean 1..9?\n"},
      {"{url: 'http://x/', rate: 1/s, headers: {A: '{{uuid'}}", "f:7:47: spec.load.l.headers: character 1: '{{' is not closed by '}}'\n"},
      {"{url: 'http://x/{{data.a}}', rate: 1/s}",
       "f:7:14: spec.load.l.url: character 10: '{{data.a}}': there is no data: add data: {file: rows.csv} to the load\n"},
      {"{url: 'http://x/', rate: 1/s, method: POST, bodyFile: order.json, data: {file: users.csv}}",
       "f:7:62: spec.load.l.bodyFile: order.json:3:11: '{{data.nme}}': the data have no column 'nme'; did you mean 'name'?\n"},
      {"{url: 'http://x/', rate: 1/s, body: a, bodyFile: order.json}",
       "f:7:8: spec.load.l: has both 'body' and 'bodyFile': keep one of them\n"},
      {"{url: 'http://x/', rate: 1/s, method: HEAD, body: a}", "f:7:8: spec.load.l: a HEAD request has no body: take it away\n"},
      {"{url: 'http://x/', rate: 1/s, headers: {A: '{{data.name}}'}, data: {file: lines.csv}}",
       "f:7:47: spec.load.l.headers: header 'A': a value of column 'name' has a line break\n"},
      {"{url: 'http://x/', rate: 1/s, requests: [{url: 'http://x/'}]}",
       "f:7:14: spec.load.l.url: is for a load of one request: each of 'requests' has its own\n"},
      {"{rate: 1/s, requests: []}", "f:7:30: spec.load.l.requests: is an empty list: name one request at least\n"},
      {"{rate: 1/s, requests: [{method: POST}]}",
       "f:7:31: spec.load.l.requests[0]: 'url' is missing: where it goes, such as url: http://10.0.0.1/cart\n"},
      {"{url: 'http://x/', rate: 1/s, http: 2}",
       "f:7:14: spec.load.l.url: has no TLS, in which http: 2 is agreed on; write https://, or http: h2c for HTTP/2 without TLS\n"},
      {"{url: 'https://x/', rate: 1/s, http: h2c}",
       "f:7:14: spec.load.l.url: has TLS, and http: h2c is HTTP/2 without it; write http: 2\n"},
      {"{url: 'http://x/', rate: 1/s, http: 3}", "f:7:44: spec.load.l.http: is '3'; did you mean '2'?\n"},
      {"{url: 'http://x/', rate: 1/s, tls: {ca: ca.pem}}", "f:7:43: spec.load.l.tls: is for https:// URLs, and the load has none\n"},
      {"{url: 'https://x/', rate: 1/s, tls: {ca: ca.pem, insecure: true}}",
       "f:7:44: spec.load.l.tls: has 'ca', which says who may answer, and 'insecure', which takes anyone\n"},
      {"{url: 'https://x/', rate: 1/s, tls: {cert: ca.pem}}",
       "f:7:44: spec.load.l.tls: a client's certificate needs both 'cert' and 'key'\n"},
      {"{url: 'https://x/', rate: 1/s, tls: {ca: users.csv}}",
       "f:7:49: spec.load.l.tls.ca: holds no -----BEGIN CERTIFICATE-----: a PEM file is expected\n"},
      {"{url: 'https://x/', rate: 1/s, tls: {insecure: yes}}", "f:7:55: spec.load.l.tls.insecure: is 'yes': write true or false\n"},
  };
  for (const auto& each : table) {
    CAPTURE(each.first);
    CHECK(problems(each.first) == each.second);
  }
}

TEST_CASE("a record that ends before the experiment is refused") {
  const auto parsed = spec::parse(
      "apiVersion: arashi.dev/v1\nkind: Experiment\nmetadata: {name: x}\nspec:\n  targets: {n: {node: {}}}\n  load: {l: {url: 'http://x/', "
      "arrivals: {file: t}}}\n  timeline: [{for: 10s, fault: command.run, on: n, with: {do: [a], undo: [b]}}]\n",
      test::catalogue(), {}, [](const std::string&) -> Result<std::string> { return std::string("0\n30\n"); });
  REQUIRE(parsed.problems.size() == 1);
  CHECK(spec::to_text("f", parsed.problems[0]) ==
        "f:6:42: spec.load.l.arrivals: end after 30s, and the experiment may take 50s: add repeat: true, or record more");
}
