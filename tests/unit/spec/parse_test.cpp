#include "experiments/spec/parse.hpp"

#include "experiments/spec/objects.hpp"
#include "injector/core/json.hpp"
#include "tests/unit/spec/catalogue.hpp"
#include "tests/unit/spec/example.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <ctime>

using namespace arashi;
using namespace std::chrono_literals;

namespace {

std::vector<std::string> problems(const std::string& text) {
  std::vector<std::string> lines;
  for (const auto& problem : spec::parse(text, test::catalogue()).problems) lines.push_back(spec::to_text("f", problem));
  return lines;
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const auto& line : lines) text += line + "\n";
  return text;
}

// A whole spec around one part of `spec:`, indented by two; the part begins in line 5.
std::string with_part(const std::string& part) {
  std::string indented;
  for (const char c : "  " + part) {
    indented += c;
    if (c == '\n') indented += "  ";
  }
  return "apiVersion: arashi.dev/v1\nkind: Experiment\nmetadata: {name: x}\nspec:\n" + indented + "\n";
}

struct Bad {
  const char* part;
  std::vector<std::string> expected;
};

}  // namespace

TEST_CASE("the example of the design is read into typed units") {
  const auto parsed = spec::parse(test::example, test::catalogue());
  for (const auto& problem : parsed.problems) FAIL_CHECK(spec::to_text("example", problem));
  const auto& e = parsed.experiment;
  CHECK(e.name == "checkout-survives-a-slow-ledger");
  CHECK(e.labels == std::map<std::string, std::string>{{"team", "payments"}});
  CHECK(e.hypothesis == "Checkout keeps its SLO while half of the ledger answers 200 ms late.");
  REQUIRE(e.targets.size() == 2);
  CHECK(e.targets[0].name == "ledger");
  CHECK(e.targets[0].selector == Selector{"netns", {{"name", "pay-ledger-*"}}});
  CHECK(e.targets[0].pick.mode == spec::Pick::Mode::percent);
  CHECK(e.targets[0].pick.percent.fraction == doctest::Approx(0.5));
  CHECK(e.targets[0].pick.seed == 7);
  CHECK(e.targets[1].pick.mode == spec::Pick::Mode::one);
  CHECK_FALSE(e.targets[1].pick.seed.has_value());
  REQUIRE(e.slos.size() == 2);
  CHECK(e.slos[0].objective == doctest::Approx(0.999));
  CHECK(e.slos[0].window == 30 * 24h);
  CHECK(e.slos[0].measures.at(0).load == "checkout");
  CHECK(e.slos[0].measures.at(0).latency == 300ms);
  const auto* prometheus = std::get_if<spec::PrometheusSource>(&e.slos[1].measures.at(0).source);
  REQUIRE(prometheus != nullptr);
  CHECK(prometheus->url == "http://127.0.0.1:9090");
  CHECK(prometheus->scrape == 5s);
  REQUIRE(e.loads.size() == 1);
  CHECK(e.loads[0].method == "POST");
  CHECK(e.loads[0].rate.per_second == 200);
  CHECK(e.loads[0].headers.at("X-Trace") == "1");
  CHECK(e.guard.budget.fraction == doctest::Approx(0.02));
  CHECK(e.guard.on_no_data == spec::OnNoData::hold);
  CHECK(e.guard.hold == 10s);
  REQUIRE(e.checks.size() == 2);
  CHECK(e.checks[0].command == std::vector<std::string>{"demo/ledger-sum"});
  CHECK(e.checks[0].before);
  CHECK(e.checks[0].after);
  CHECK(e.checks[0].during == 0s);
  CHECK(e.checks[1].url == "http://127.0.0.1/health");
  CHECK(e.checks[1].expect == 204);
  CHECK_FALSE(e.checks[1].before);
  CHECK(e.checks[1].during == 5s);
  CHECK(e.steady_for == 10s);
  CHECK(e.recovery_within == 30s);
  CHECK(e.limits.targets == 3);
  CHECK(e.limits.share.fraction == doctest::Approx(0.5));
  CHECK(e.limits.duration == 5min);
  REQUIRE(e.limits.window);
  CHECK(e.limits.window->days == std::vector<int>{1, 2, 3, 4, 5});
  CHECK(e.limits.window->from == 10h);
  CHECK(e.limits.window->to == 16h);
  CHECK(e.limits.window->timezone == "Asia/Tokyo");
  CHECK(e.text == test::example);
}

TEST_CASE("the timeline is in order of time and its parameters are canonical") {
  const auto e = spec::parse(test::example, test::catalogue()).experiment;
  REQUIRE(e.timeline.size() == 2);
  CHECK(e.timeline[0].fault == "network.impair");
  CHECK(e.timeline[0].length == 60s);
  CHECK(*e.timeline[0].params == Json{{"delay", 200000000}, {"jitter", 20000000}, {"loss", 0.01}, {"direction", "both"}});
  CHECK(e.timeline[1].at == 30s);
  CHECK(e.timeline[1].where.line == 27);
  CHECK(*e.timeline[1].params == Json{{"signal", "KILL"}, {"every", 10000000000}});
  CHECK(spec::timeline_length(e) == 60s);
}

TEST_CASE("JSON's pairs of escapes are the characters they stand for, and places behind them stay right") {
  const std::string smile = "\xF0\x9F\x98\x80";
  const auto json = [](const std::string& hypothesis, const std::string& more) {
    return "{\"apiVersion\": \"arashi.dev/v1\", \"kind\": \"Experiment\", \"metadata\": {\"name\": \"x\"},\n"
           "\"spec\": {\"hypothesis\": \"" +
           hypothesis + R"(", "timeline": [])" + more + "}}";
  };
  const auto parsed = spec::parse(json(R"(a \ud83d\ude00\uD83D\uDE00 \u00e9 \\ud83d\\ude00)", ""), test::catalogue());
  for (const auto& problem : parsed.problems) FAIL_CHECK(spec::to_text("f", problem));
  CHECK(parsed.experiment.hypothesis == "a " + smile + smile + " \xC3\xA9 \\ud83d\\ude00");
  CHECK(problems(json(R"(a \ud83d\ude00\ud83d\ude00)", ", \"x\": 1")).at(0).substr(0, 16) == "f:2:70: spec.x: ");
  CHECK(problems(json(R"(a \ud83d\ude00)", ",\n  \"x\": 1")).at(0).starts_with("f:3:3: spec.x"));
  for (const char* half : {R"(\ud83d)", R"(\ude00\ud83d)", R"(\ud83d\u0041)"})
    CHECK(problems(json(half, "")).at(0).find("an escape of half a character: write the character itself") != std::string::npos);
  CHECK(problems("a: \"\\ud83d\\ude00\"").at(0).find("write the character itself") != std::string::npos);  // YAML by hand
}

TEST_CASE("the same document as JSON is read the same") {
  const char* json = R"({"apiVersion": "arashi.dev/v1", "kind": "Experiment", "metadata": {"name": "j"},
 "spec": {"targets": {"w": {"process": {"name": "wallet", "port": 8080}, "pick": "all"}},
          "timeline": [{"at": "0s", "for": "1s", "fault": "process.kill", "on": "w", "with": {"signal": "TERM"}}]}})";
  const auto parsed = spec::parse(json, test::catalogue());
  CHECK(parsed.problems.empty());
  CHECK(parsed.experiment.targets.at(0).selector.match.at("port") == "8080");
  CHECK(parsed.experiment.timeline.at(0).params->at("signal") == "TERM");
}

TEST_CASE("the defaults are those of the design") {
  const auto e = spec::parse(with_part("timeline: []"), {}).experiment;
  CHECK(e.guard.budget.fraction == doctest::Approx(0.02));
  CHECK(e.guard.on_no_data == spec::OnNoData::charge);
  CHECK(e.steady_for == 10s);
  CHECK(e.recovery_within == 30s);
  CHECK(e.limits.share.fraction == 1);
  CHECK(e.limits.duration == 1h);
  CHECK_FALSE(e.limits.window);
}

TEST_CASE("every way to say what happens without data is understood") {
  const auto read = [](const std::string& value) {
    const auto parsed = spec::parse(with_part("guard: {onNoData: " + value + "}\ntimeline: []"), {});
    CHECK(parsed.problems.empty());
    return parsed.experiment.guard;
  };
  CHECK(read("charge").on_no_data == spec::OnNoData::charge);
  CHECK(read("abort").on_no_data == spec::OnNoData::abort);
  CHECK(read("{hold: 3s}").hold == 3s);
  CHECK(read("'hold: 4s'").hold == 4s);
  CHECK(read("'hold: 4s'").on_no_data == spec::OnNoData::hold);
}

TEST_CASE("all problems of a bad spec are told at once, in order of place") {
  const std::string bad =
      "apiVersion: arashi.dev/v2\n"
      "metadata: {name: Not_A_Name}\n"
      "spec:\n"
      "  hypotesis: x\n"
      "  targets: {w: {process: {nam: wallet}}}\n"
      "  timeline:\n"
      "    - {for: 10, fault: process.kil, on: v}\n";
  CHECK(problems(bad) == std::vector<std::string>{
                             "f:1:1: 'kind' is missing: what this is, such as kind: Experiment",
                             "f:1:13: apiVersion: is 'arashi.dev/v2'; did you mean 'arashi.dev/v1'?",
                             "f:2:18: metadata.name: 'Not_A_Name' is not a name: a-z, 0-9 and '-' inside, at most 63, such as "
                             "checkout-survives-a-slow-ledger",
                             "f:4:3: spec.hypotesis: unknown key 'hypotesis'; did you mean 'hypothesis'?",
                             "f:5:27: spec.targets.w.process.nam: a process target has no 'nam'; did you mean 'name'?",
                             "f:7:13: spec.timeline[0].for: is '10': a duration needs a unit; did you mean '10ms' or '10s'?",
                             "f:7:24: spec.timeline[0].fault: there is no fault 'process.kil'; did you mean 'process.kill'?",
                             "f:7:41: spec.timeline[0].on: there is no target 'v'; did you mean 'w'?",
                         });
}

TEST_CASE("each kind of mistake has its place, its reason and what to do") {
  const std::string load = "load: {l: {url: 'http://x/', rate: 10/s}}\ntimeline: []\n";
  const Bad table[] = {
      {"targets: {a: {pods: {app: x}}}\ntimeline: []",
       {"f:5:17: spec.targets.a.pods: 'pods': needs the Kubernetes runner, which is not supported yet in this version"}},
      {"targets: {a: {container: {id: x}}}\ntimeline: []",
       {"f:5:17: spec.targets.a.container: 'container': is not supported yet in this version; select its cgroup, network namespace or "
        "process instead"}},
      {"targets: {a: {pick: one}}\ntimeline: []",
       {"f:5:16: spec.targets.a: has no kind: one of process, netns, cgroup, unit, node is needed, such as process: {name: "
        "wallet}"}},
      {"targets: {a: {node: {}, unit: {name: x}}}\ntimeline: []",
       {"f:5:23: spec.targets.a.node: a target is one kind of thing, this one is already 'unit': make two targets"}},
      {"targets: {a: {node: {}, pick: 50%}}\ntimeline: []", {"f:5:33: spec.targets.a.pick: is '50%'; did you mean {percent: 50}?"}},
      {"targets: {a: {node: {}, pick: {seed: x}}}\ntimeline: []",
       {"f:5:33: spec.targets.a.pick: needs count or percent, such as {count: 1, seed: 7}",
        "f:5:40: spec.targets.a.pick.seed: is 'x': a whole number is expected, such as seed: 7"}},
      {"targets: {a: {node: {}}, a: {node: {}}}\ntimeline: []", {"f:5:28: spec.targets.a: 'a' is a duplicate key: keep one of them"}},
      {"targets: [node]\ntimeline: []", {"f:5:12: spec.targets: is a list, a mapping of names is expected: NAME: {…}"}},
      {"timeline: {at: 0s}", {"f:5:13: spec.timeline: is a mapping, a list is expected, each with '- ' in front"}},
      {"hypothesis: x", {"f:5:3: spec: 'timeline' is missing: which fault, when, on what"}},
      {"slos: {s: {objective: 99.9%, load: l, prometheus: {url: 'http://p', bad: b, total: t}}}\nload: {l: {url: 'http://x/', rate: "
       "10/s}}\ntimeline: []",
       {"f:5:13: spec.slos.s: has both 'load' and 'prometheus': one of them measures it"}},
      {"slos: {s: {objective: 99.9%}}\ntimeline: []",
       {"f:5:13: spec.slos.s: has no source that measures it: 'load' (the name of a load) or one of prometheus, metrics, datadog, "
        "mackerel, cloudwatch, newrelic, command, accessLog is needed"}},
      {"slos: {s: {objective: 99.9%, from: a.yaml}}\ntimeline: []", {"f:5:38: spec.slos.s.from: files are not read here"}},
      {"slos: {s: {load: l}}\nload: {l: {url: 'http://x/', rate: 10/s}}\ntimeline: []",
       {"f:5:13: spec.slos.s: 'objective' is missing: the share of events that must be good, such as objective: 99.9%"}},
      {"slos: {s: {objective: 99.9%, load: l, server: 'http://x/'}}\nload: {l: {url: 'http://x/', rate: 10/s}}\ntimeline: []",
       {"f:5:49: spec.slos.s.server: is for 'from': which server its queries go to"}},
      {"slos: {s: {objective: 93%, load: l}}\nload: {l: {url: 'http://x/', rate: 10/s}}\ntimeline: []",
       {"f:5:25: spec.slos.s.objective: is 93%: the burn rate at which the guard stops, 14.4, can never be reached, a total outage burns "
        "14.3 times too fast; an objective above 93.06% is needed"}},
      {"slos: {s: {objective: 100%, load: l}}\nload: {l: {url: 'http://x/', rate: 10/s}}\ntimeline: []",
       {"f:5:25: spec.slos.s.objective: is 100%: that leaves no budget, so nothing may be broken; such as 99.9%"}},
      {"slos: {s: {objective: 99.9%, window: 1h, load: l}}\nload: {l: {url: 'http://x/', rate: 10/s}}\ntimeline: []",
       {"f:5:13: spec.slos.s: leaves no room for a single bad request: 10/s over 1h are 3.6e+04 requests, of which 0.1% may be bad, and 2% "
        "of these (guard.budget) are 0.72; raise the load's rate, the window or guard.budget"}},
      {"slos: {s: {objective: 99.9%, load: l, latency: 6s}}\nload: {l: {url: 'http://x/', rate: 10/s}}\ntimeline: []",
       {"f:5:50: spec.slos.s.latency: is 6s, more than the timeout of load 'l' (5s): a request is cut off before it can be too slow"}},
      {"load: {l: {url: x, rate: 10, method: get}}\ntimeline: []",
       {"f:5:19: spec.load.l.url: 'x' is not a URL of http or https, such as http://10.0.0.1/checkout",
        "f:5:28: spec.load.l.rate: is '10': a rate needs its unit; did you mean '10/s'?",
        "f:5:40: spec.load.l.method: is 'get'; did you mean 'GET'?"}},
      {"guard: {budget: 2, onNoData: hold}\ntimeline: []",
       {"f:5:19: spec.guard.budget: is '2': a percentage needs its sign; did you mean '2%'?",
        "f:5:32: spec.guard.onNoData: is 'hold': say how long, as onNoData: {hold: 10s}"}},
      {"guard: {onNoData: chrage}\ntimeline: []",
       {"f:5:21: spec.guard.onNoData: is 'chrage'; did you mean 'charge'?; write charge, abort or {hold: 10s}"}},
      {"checks: {c: {command: ls, when: [befor]}, d: {}}\ntimeline: []",
       {"f:5:25: spec.checks.c.command: is one text: write the program and its arguments as a list, such as [sh, -c, \"…\"]",
        "f:5:35: spec.checks.c.when: is 'befor'; did you mean 'before'?",
        "f:5:48: spec.checks.d: needs 'command' or 'http': what is asked?"}},
      {"checks: {c: {http: 'http://x', expect: {exit: 0}, every: 5s, when: before}}\ntimeline: []",
       {"f:5:49: spec.checks.c.expect.exit: 'exit' is for a check with 'command'",
        "f:5:60: spec.checks.c.every: is for a check 'during' the faults: add during to 'when', or take 'every' away"}},
      {"limits: {targets: 0, share: 0%, window: {days: [mon, fry], hours: 9-17, timezone: Asia/Tokio}}\ntimeline: []",
       {"f:5:21: spec.limits.targets: is '0': a whole number from 1 to 1000000 is expected, such as 3",
        "f:5:31: spec.limits.share: is 0%: it must be more than 0, such as 50%",
        "f:5:56: spec.limits.window.days: is 'fry': days are mon, tue, wed, thu, fri, sat, sun, as mon-fri or [mon, wed]",
        "f:5:69: spec.limits.window.hours: is '9-17': hours are written as 10:00-16:00, from 00:00 to 24:00",
        "f:5:85: spec.limits.window.timezone: unknown time zone 'Asia/Tokio'; did you mean 'Asia/Tokyo'?"}},
      {"targets: {n: {node: }}\nlimits: {duration: 1m}\ntimeline: [{at: 55s, for: 10s, fault: process.kill, on: n}]",
       {"f:7:14: spec.timeline[0]: ends at 1m5s, after limits.duration (1m)",
        "f:7:59: spec.timeline[0].on: 'n' is a node, and process.kill takes process, cgroup, unit"}},
      {"targets: {n: {netns: {name: x}}}\ntimeline: [{for: 10s, fault: network.impair, on: n, with: {delay: 200, jiter: 1ms, loss: 101%, "
       "direction: up, peers: {a: b}}}]",
       {"f:6:69: spec.timeline[0].with.delay: is '200': a duration needs a unit; did you mean '200ms' or '200s'?",
        "f:6:74: spec.timeline[0].with.jiter: unknown parameter 'jiter'; did you mean 'jitter'?",
        "f:6:92: spec.timeline[0].with.loss: '101%' is not a percentage: it is over 100% (write it as 1% or 0.05%)",
        "f:6:109: spec.timeline[0].with.direction: is \"up\"; known are egress, ingress, both",
        R"(f:6:120: spec.timeline[0].with.peers: is {"a":"b"}: a list of texts is expected, such as [10.0.0.0/24])"}},
      {"targets: {n: {node: {}}}\ntimeline: [{for: 10s, fault: command.run, on: n, with: [touch]}]",
       {"f:6:58: spec.timeline[0].with: is a list, a mapping of parameters is expected"}},
      {"targets: {n: {node: {}}}\ntimeline: [{for: 1 m, fault: command.run, on: n}]",
       {"f:6:20: spec.timeline[0].for: is '1 m': no space belongs before the unit; did you mean '1m'?",
        "f:6:14: spec.timeline[0].with.do: parameter 'do' is missing, such as do: [touch, /tmp/x]",
        "f:6:14: spec.timeline[0].with.undo: parameter 'undo' is missing, such as undo: [rm, /tmp/x]"}},
  };
  for (const Bad& bad : table) {
    CAPTURE(bad.part);
    auto expected = bad.expected;
    auto found = problems(with_part(bad.part));
    std::ranges::sort(expected);
    std::ranges::sort(found);
    CHECK(joined(found) == joined(expected));
  }
}

TEST_CASE("what is not YAML is told with its line") {
  CHECK(joined(problems("a: [1, 2\nb: 3\n")) == "f:2:5: not YAML: end of sequence flow not found\n");
  CHECK(problems("a:\n\tb: 1\n") == std::vector<std::string>{"f:2:3: not YAML: illegal map value: indent with spaces, not with tabs"});
  CHECK(problems("a: *b\n").at(0) == "f:1:4: not YAML: the referenced anchor is not defined");
  CHECK(problems("a: &a [*a]\n").at(0) == "f:1:8: this alias stands inside the node it names: it would have no end");
  CHECK(problems("a: !!binary eA==\n").at(0) == "f:1:4: the tag 'tag:yaml.org,2002:binary' is not supported: write the value plainly");
  CHECK(problems("a: 1\n---\nb: 2\n").at(0) == "f:2:1: a second document begins here ('---'): one file holds one experiment");
  CHECK(problems("").at(0) == "f:1:1: is empty: an experiment is expected; see 'arashi schema' and the examples");
  CHECK(problems("- 1").at(0) == "f:1:1: is a list, a mapping is expected: an Arashi experiment");
  CHECK(joined(problems("<<: {a: b}")).find("merging with '<<' is not supported") != std::string::npos);
  CHECK(problems("? [a]\n: b\n").size() == 5);
}

TEST_CASE("bytes that are no text are told with their place") {
  using namespace std::string_literals;
  CHECK(problems("a: \0b"s) == std::vector<std::string>{"f:1:4: the byte 0x00 is not text: a spec is YAML or JSON in UTF-8"});
  CHECK(problems("a: 1\nb: caf\xe9\n").at(0) == "f:2:7: the byte 0xe9 is not UTF-8: a spec is YAML or JSON in UTF-8");
  CHECK(problems("a: \xed\xa0\x80").at(0).find("0xed is not UTF-8") != std::string::npos);
  CHECK(problems("\xff\xfe"
                 "a")
            .at(0)
            .find("0xff is not UTF-8") != std::string::npos);
  CHECK(problems(with_part("hypothesis: 嵐 naïve\ntimeline: []")).empty());
}

TEST_CASE("an anchor and its aliases are read like the text they stand for") {
  const auto parsed = spec::parse(with_part("targets: {a: &n {node: {}}, b: *n}\ntimeline: []"), {});
  CHECK(parsed.problems.empty());
  CHECK(parsed.experiment.targets.at(1).selector.kind == "node");
}

TEST_CASE("bombs end fast and with a reason") {
  std::string alias = "a: &a [x,x,x,x,x,x,x,x,x]\n";
  for (char c = 'b'; c <= 'k'; ++c) {
    alias += std::string(1, c) + ": &" + c + " [";
    for (int i = 0; i < 9; ++i) alias += std::string(i == 0 ? "*" : ",*") + static_cast<char>(c - 1);
    alias += "]\n";
  }
  const auto repeat = [](const std::string& piece, std::size_t bytes) {
    std::string text;
    while (text.size() + piece.size() < bytes) text += piece;
    return text;
  };
  const std::size_t full = spec::largest_spec;
  const std::pair<std::string, const char*> bombs[] = {
      {alias, "more than 10000 nodes"},
      {repeat("[", full), "nested more than 64 levels deep"},
      {repeat("{a: ", full), "nested more than 64 levels deep"},
      {repeat("- ", full), "nested more than 64 levels deep"},
      {repeat("? ", full), "nested more than 64 levels deep"},
      {"[" + repeat("a,", full - 9) + "]", "more than 10000 nodes"},
      {repeat("a: ", full), "not YAML"},
      {repeat("\"a\":", full), "not YAML"},
      {repeat("&a ", full), "not YAML"},
      {"\"" + repeat("a", full - 9), "not YAML"},
      {repeat("---\n", full), "second document"},
      {repeat("#", full), "is empty"},
      {repeat("x", full + 9), "bytes long, at most 1M is read"},
  };
  for (const auto& bomb : bombs) {
    const auto& text = bomb.first;
    const auto* reason = bomb.second;
    CAPTURE(text.substr(0, 20));
    const auto begin = std::clock();  // of the processor, not of the wall: a busy machine takes longer for the same
    const auto found = problems(text);
    const double took = static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
    REQUIRE(found.size() == 1);
    CHECK(found[0].find(reason) != std::string::npos);
    CHECK(took < 10);  // seconds; it is a fraction of one, the allowance is for sanitizers
  }
}

TEST_CASE("a key with line breaks or of a megabyte is told in one short line") {
  for (const std::string& key :
       {std::string(R"("a\nb\ec")"), "? " + std::string(100'000, 'x') + "\n", "? 嵐" + std::string(100'001, 'x') + "\n"}) {
    for (const auto& line : problems(with_part("timeline: []\n" + key + ": 1"))) {
      CHECK(line.size() < 1300);
      CHECK(line.find_first_of("\n\x1b") == std::string::npos);
    }
  }
  CHECK_FALSE(problems(with_part("timeline: []\n\"a\\nb\": 1")).empty());
}

TEST_CASE("a document of a thousand wrong keys is told of each, once") {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += "k" + std::to_string(i) + ": 1\n";
  CHECK(problems(text).size() == 1004);
}

TEST_CASE("every key of every object has its summary, and an example where it is a value") {
  for (const auto* object : spec::all_objects()) {
    CAPTURE(object->name);
    CHECK_FALSE(object->summary.empty());
    for (const auto& key : object->keys) {
      CAPTURE(key.name);
      CHECK((!key.summary.empty() || !key.unsupported.empty()));
      const bool nested = key.object != nullptr;
      CHECK((nested || !key.example.empty() || !key.unsupported.empty()));
    }
  }
}
