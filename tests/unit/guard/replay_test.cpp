// What the guard was told, stored and judged again.
#include "tests/unit/guard/simulator.hpp"

#include "injector/core/json.hpp"

using namespace arashi;
using namespace arashi::testing;
using namespace std::chrono_literals;
using guard::Freshness;

TEST_CASE("stored inputs replay to equal verdicts, bit by bit, also through text") {
  std::mt19937_64 random(3);
  auto terms = config(37.3);
  terms.slos.push_back(testing::terms(11.1, 0.995));
  terms.rollback = 1234567us;
  std::vector<guard::Input> inputs;
  auto guard = make(terms);
  std::vector<guard::Verdict> live;
  for (int t = 0; t < 120; ++t) {
    const Duration now = std::chrono::seconds(t + 1) + 12345678ns;
    if (t == 20 || t == 50) {
      guard.injected(now);
      inputs.push_back({.now = now, .injected = true});
    }
    if (t == 100) {
      guard.reverted(now);
      inputs.push_back({.now = now, .reverted = true});
    }
    for (std::size_t slo = 0; slo < 2; ++slo) {
      const auto bad = std::binomial_distribution<std::uint64_t>(37, t > 60 ? 0.2 : 0.001)(random);
      guard::Slice seen = second(t, 37, bad);
      if (t == 70) seen = notice(now, Freshness::error, std::chrono::seconds(t), "\"quoted\" \xff");
      guard.observe(slo, seen);
      inputs.push_back({.now = now, .slo = slo, .slice = seen});
    }
    live.push_back(guard.evaluate(now));
    inputs.push_back({.now = now});
  }
  CHECK(live.back().abort);
  const auto stored_config = parse_json(to_text(to_json(terms)));
  REQUIRE(stored_config);
  const auto config = guard::config_from(*stored_config);
  REQUIRE_MESSAGE(config, config.error().message);
  std::vector<guard::Input> read;
  for (const auto& input : inputs) {
    const auto json = parse_json(to_text(to_json(input)));
    REQUIRE(json);
    const auto back = guard::input_from(*json);
    REQUIRE_MESSAGE(back, back.error().message);
    read.push_back(*back);
  }
  const auto replayed = guard::replay(*config, read);
  REQUIRE_MESSAGE(replayed, replayed.error().message);
  REQUIRE(replayed->size() == live.size());
  for (std::size_t i = 0; i < live.size(); ++i) {
    const Json a = to_json(live[i]), b = to_json((*replayed)[i]);
    CHECK(to_text(a) == to_text(b));
    const auto back = guard::verdict_from(*parse_json(to_text(a)));
    REQUIRE_MESSAGE(back, back.error().message);
    CHECK(to_text(to_json(*back)) == to_text(a));
  }
}

TEST_CASE("a stored input that is damaged is refused with the field's name") {
  const auto refuse = [](const char* text, const std::string& word) {
    const auto input = guard::input_from(*parse_json(text));
    CAPTURE(text);
    REQUIRE_FALSE(input);
    CHECK_MESSAGE(input.error().message.find(word) != std::string::npos, input.error().message);
  };
  refuse("[]", "object");
  refuse("{}", "now");
  refuse(R"({"now": 1.5})", "now");
  refuse(R"({"now": 99999999999999999999})", "now");
  refuse(R"({"now": 1, "slo": -1})", "slo");
  refuse(R"({"now": 1, "slo": 0})", "slice");
  refuse(R"({"now": 1, "slo": 0, "slice": {"begin": 0, "end": 1, "total": -3, "bad": 0, "state": "fresh", "newest": 1, "problem": ""}})",
         "total");
  refuse(R"({"now": 1, "slo": 0, "slice": {"begin": 0, "end": 1, "total": 3, "bad": 0, "state": "good", "newest": 1, "problem": ""}})",
         "good");
  CHECK_FALSE(guard::replay(config(10), {{.now = 1s, .slo = 5}}));
  CHECK_FALSE(guard::config_from(*parse_json(R"({"slos": [1]})")));
}
