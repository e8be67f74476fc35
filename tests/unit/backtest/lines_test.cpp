#include "experiments/backtest/record.hpp"

#include <doctest/doctest.h>

using namespace arashi;
using namespace arashi::backtest;
using namespace std::chrono_literals;

namespace {

Record read(const std::vector<std::string>& lines, const std::vector<std::string>& slos = {"checkout"}, ReadOptions options = {}) {
  LineReader reader(slos, options);
  for (const auto& line : lines) {
    const auto done = reader.line(line);
    REQUIRE_MESSAGE(done, done.error().message);
  }
  auto record = reader.finish();
  REQUIRE_MESSAGE(record, record.error().message);
  return std::move(record).value();
}

std::string problem(const std::vector<std::string>& lines, const std::vector<std::string>& slos = {"checkout"}) {
  LineReader reader(slos, {});
  for (const auto& line : lines)
    if (const auto done = reader.line(line); !done) return done.error().message;
  const auto record = reader.finish();
  return record ? "" : record.error().message;
}

}  // namespace

TEST_CASE("lines of counts become samples side by side") {
  const Record record = read({R"({"t": 1000, "good": 99, "bad": 1})", "", R"({"t": 1001, "good": 100, "bad": 0})",
                              R"({"t": 1002.4, "total": 50, "bad": 50})", R"({"bad": 0, "t": "1970-01-01T00:16:43Z", "good": 7})"});
  REQUIRE(record.series.size() == 1);
  const auto& samples = record.series[0].samples;
  REQUIRE(samples.size() == 4);
  CHECK(record.series[0].step == 1s);
  CHECK(samples[0].begin == 999s);
  CHECK(samples[0].total == 100);
  CHECK(samples[0].bad == 1);
  CHECK(samples[2].begin == 1001s);  // a little late is no gap
  CHECK(samples[2].end == 1002400ms);
  CHECK(samples[2].total == 50);
  CHECK(samples[3].begin == 1002400ms);
  CHECK(samples[3].end == 1003s);
  CHECK(record.series[0].gaps() == 0);
  CHECK(record.begin() == 999s);
  CHECK(record.end() == 1003s);
}

TEST_CASE("a line that is much later leaves a gap: its counts are of one step") {
  const Record record = read(
      {R"({"t":10,"good":1,"bad":0})", R"({"t":25,"good":1,"bad":0})", R"({"t":40,"good":1,"bad":0})", R"({"t":100,"good":1,"bad":0})"});
  const auto& series = record.series[0];
  CHECK(series.step == 15s);
  CHECK(series.samples[3].begin == 85s);
  CHECK(series.gaps() == 1);
  CHECK(series.covered() == 60s);
}

TEST_CASE("several SLOs are told apart, and the record is where all of them are") {
  const Record record = read({R"({"t":10,"slo":"a","good":1,"bad":0})", R"({"t":12,"slo":"b","good":2,"bad":1})",
                              R"({"t":11,"slo":"a","good":1,"bad":0})", R"({"t":13,"slo":"b","good":2,"bad":0})"},
                             {"a", "b"});
  REQUIRE(record.series.size() == 2);
  CHECK(record.series[0].slo == "a");
  CHECK(record.series[1].bad() == 1);
  CHECK(record.begin() == 11s);
  CHECK(record.end() == 11s);
}

TEST_CASE("what a bad line is told, with its line and column") {
  const std::string good = R"({"t":10,"good":1,"bad":0})";
  struct Case {
    std::vector<std::string> lines;
    std::string says;
  };
  for (const auto& each : std::vector<Case>{
           {{good, "x"}, "line 2, column 1: not valid JSON"},
           {{R"({"t":1,"good":1,)"}, "line 1, column 17: not valid JSON"},
           {{"[]"}, "line 1, column 1: an object is expected"},
           {{R"({"t":1,"good":1})"}, "line 1, column 1: 'bad' is missing"},
           {{R"({"good":1,"bad":0})"}, "'t' is missing"},
           {{R"({"t":1,"bad":0})"}, "exactly one of 'good' and 'total'"},
           {{R"({"t":1,"good":1,"total":1,"bad":0})"}, "line 1, column 17: total: exactly one"},
           {{R"({"t":1,"good":1,"bda":0})"}, "line 1, column 17: bda: unknown key; did you mean 'bad'?"},
           {{R"({"t":1,"good":1.5,"bad":0})"}, "column 8: good: is 1.5: a count is a whole number"},
           {{R"({"t":1,"good":1,"bad":-1})"}, "column 17: bad: is -1"},
           {{R"({"t":1,"good":1,"bad":1e300})"}, "a count is a whole number"},
           {{R"({"t":1,"good":1,"bad":null})"}, "bad: is null"},
           {{R"({"t":1,"total":1,"bad":2})"}, "more bad events than events"},
           {{R"({"t":-1,"good":1,"bad":0})"}, "t: '-1' is not in seconds since 1970"},
           {{R"({"t":1763800000000,"good":1,"bad":0})"}, "is it in milliseconds?"},
           {{R"({"t":"yesterday","good":1,"bad":0})"}, "'yesterday' is no time"},
           {{R"({"t":"2026-13-01T00:00:00Z","good":1,"bad":0})"}, "is no time"},
           {{R"({"t":"2026-11-01T00:00:00","good":1,"bad":0})"}, "is no time"},
           {{good, R"({"t":9,"good":1,"bad":0})"}, "line 2, column 2: t: is 1970-01-01T00:00:09Z, not after line 1's"},
           {{good, "", good}, "line 3, column 2: t: is 1970-01-01T00:00:10Z, not after line 1's"},
           {{R"({"t":1,"slo":"checkuot","good":1,"bad":0})"}, "no SLO 'checkuot'; did you mean 'checkout'?"},
           {{R"({"t":1,"slo":7,"good":1,"bad":0})"}, "the name of an SLO is expected"},
           {{}, "not one line of counts"},
           {{"", "  \r"}, "not one line of counts"},
       }) {
    const std::string said = problem(each.lines);
    INFO(each.says, " in ", said);
    CHECK(said.find(each.says) != std::string::npos);
  }
  CHECK(problem({good}, {"a", "b"}).find("'slo' is missing") != std::string::npos);
  CHECK(problem({R"({"t":1,"slo":"a","good":1,"bad":0})"}, {"a", "b"}).find("not one line of the SLO 'b'") != std::string::npos);
}

TEST_CASE("memory is bounded: the oldest go, and their number is kept") {
  std::vector<std::string> lines;
  for (int t = 1; t <= 500; ++t) lines.push_back(R"({"t":)" + std::to_string(t) + R"(,"good":1,"bad":0})");
  const Record few = read(lines, {"checkout"}, {.most = 300});
  CHECK(few.series[0].samples.size() == 300);
  CHECK(few.series[0].dropped == 200);
  CHECK(few.end() == 500s);
  const Record late = read(lines, {"checkout"}, {.last = 100s});
  CHECK(late.series[0].samples.size() == 100);
  CHECK(late.begin() == 400s);
}

TEST_CASE("times in UTC and with an offset, there and back") {
  CHECK(parse_time("2026-11-22T10:00:00Z").value() == parse_time("2026-11-22T19:00:00+09:00").value());
  CHECK(parse_time("2026-11-22T10:00:00.250Z").value() == parse_time("2026-11-22T10:00:00Z").value() + 250ms);
  CHECK(utc(parse_time("2024-02-29T23:59:59Z").value()) == "2024-02-29T23:59:59Z");
  CHECK(utc(parse_time("1763805600").value()) == "2025-11-22T10:00:00Z");
  CHECK_FALSE(parse_time("2026-02-29T00:00:00Z"));
  CHECK_FALSE(parse_time("2026-11-22T10:00:00+25:00"));
  CHECK_FALSE(parse_time("2026-11-22"));
  CHECK_FALSE(parse_time(""));
}
