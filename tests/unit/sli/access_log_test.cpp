// nginx' access logs: lines, files that grow, rotate and are cut. tests/system has the real nginx.
#include "experiments/sli/logs/access_log.hpp"
#include "experiments/engine/guard_terms.hpp"
#include "experiments/sli/logs/log_counts.hpp"
#include "tests/support/child.hpp"
#include "tests/support/namespaces.hpp"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>

using namespace arashi;
using namespace std::chrono_literals;
using guard::Freshness;

namespace {

sli::LogFormat format(const spec::AccessLogSource& source, bool timed) {
  auto made = sli::LogFormat::make(source, timed);
  REQUIRE_MESSAGE(made, made.error().message);
  return *made;
}

constexpr const char* line = R"(127.0.0.1 - - [22/Nov/2026:21:03:00 +0100] "GET /buy?x=1 HTTP/1.1" 503 12 "-" "curl \x22a\x22 200 OK")";

// A log that a test writes, and a source that follows it.
class Followed {
 public:
  explicit Followed(const std::string& before = "") : file_(directory_.path() / "access.log") {
    write(before);
    auto opened = sli::access_log(source(), 0s, directory_.path().string(), boot_now());
    REQUIRE_MESSAGE(opened, opened.error().message);
    source_ = std::move(*opened);
  }
  static spec::AccessLogSource source() { return {.file = "access.log", .format = "$status $request_time", .every = 20ms}; }
  void write(const std::string& text) const { std::ofstream(file_, std::ios::app) << text; }
  void cut(const std::string& text) const { std::ofstream(file_) << text; }
  void rotate() const { std::filesystem::rename(file_, file_.string() + ".1"); }
  [[nodiscard]] const std::filesystem::path& file() const { return file_; }

  bool reaches(std::uint64_t total, std::uint64_t bad) {
    return testing::eventually([&] {
      look();
      return total_ == total && bad_ == bad;
    });
  }
  bool says(Freshness state, const std::string& word) {
    return testing::eventually([&] {
      look();
      return state_ == state && problem_.find(word) != std::string::npos;
    });
  }

 private:
  void look() {
    for (const auto& slice : source_->drain()) {
      total_ += slice.total;
      bad_ += slice.bad;
      state_ = slice.state;
      problem_ = slice.problem;
    }
  }
  testing::Directory directory_;
  std::filesystem::path file_;
  std::unique_ptr<sli::Source> source_;
  std::uint64_t total_ = 0, bad_ = 0;
  Freshness state_ = Freshness::fresh;
  std::string problem_;
};

}  // namespace

TEST_CASE("a line of the combined format, with and without the time it took") {
  const auto plain = format({}, false).read(line);
  REQUIRE(plain);
  CHECK(plain->status == 503);
  CHECK(plain->path == "/buy?x=1");
  CHECK(*plain->when == 1795377780);
  CHECK_FALSE(format({}, true).read(line));
  const auto timed = format({}, true).read(std::string(line) + " 0.250");
  REQUIRE(timed);
  CHECK(timed->took == 250ms);
  CHECK_FALSE(format({}, false).read("hello"));
  CHECK_FALSE(format({}, false).read(std::string(line).substr(0, 80)));
}

TEST_CASE("a log_format of one's own") {
  const auto own = format({.format = R"(${status}|$request_time|$request_uri|$msec end)"}, true).read("404|1.5|/a b|1700000000.250 end");
  REQUIRE(own);
  CHECK(own->status == 404);
  CHECK(own->took == 1500ms);
  CHECK(own->path == "/a b");
  CHECK(*own->when == 1700000000.25);
  const auto refused = [](const spec::AccessLogSource& source, bool timed) {
    const auto made = sli::LogFormat::make(source, timed);
    REQUIRE_FALSE(made);
    return made.error().message;
  };
  CHECK(refused({.format = "$request"}, false).find("$status") != std::string::npos);
  CHECK(refused({.format = "$status"}, true).find("$request_time") != std::string::npos);
  CHECK(refused({.format = "$status$request_time"}, false).find("between $status") != std::string::npos);
  CHECK(refused({.format = "$status", .path = "/buy"}, false).find("$request") != std::string::npos);
}

TEST_CASE("what is no status, no time a request takes and no moment is not taken for one") {
  const auto own = format({.format = "$status $request_time $msec", .bad = {"5xx"}}, true);
  REQUIRE(own.read("503 0.250 1700000000.250"));
  for (const char* text :
       {"0x1f7 0.250 1", "nan 0.250 1", "5e2 0.250 1", "-1 0.250 1", "1000 0.250 1", "503 1e300 1", "503 9999999999 1", "503 - 1"})
    CHECK_MESSAGE(!own.read(text), text);
  for (const char* text : {"503 0.250 -5", "503 0.250 1e300", "503 0.250 999999999999999", "503 0.250 nan"}) {
    const auto read = own.read(text);
    REQUIRE_MESSAGE(read, text);
    CHECK_MESSAGE(!read->when, text);
  }
}

TEST_CASE("what is bad: a status, a class of them, or a request that took too long") {
  const sli::LogJudge judge({.path = "/buy", .bad = {"5xx", "429"}}, 300ms);
  const auto bad = [&](int status, Duration took) { return judge.bad({.status = status, .took = took}); };
  CHECK(bad(503, 0s));
  CHECK(bad(429, 0s));
  CHECK_FALSE(bad(404, 300ms));
  CHECK(bad(200, 301ms));
  CHECK(judge.counts({.path = "/buy/now"}));
  CHECK_FALSE(judge.counts({.path = "/"}));
}

TEST_CASE("pieces of a file are put together to lines, however they come") {
  const std::string text = "200 0.1\n503 0.1\n\nnonsense\n200 0.5\n";
  for (std::size_t size = 1; size <= text.size(); ++size) {
    sli::LogCounts counts(format({.format = "$status $request_time"}, true), sli::LogJudge({}, 300ms));
    for (std::size_t at = 0; at < text.size(); at += size) counts.add(std::string_view(text).substr(at, size));
    const auto seen = counts.take();
    CHECK(seen.total == 3);
    CHECK(seen.bad == 2);
    CHECK(seen.lines == 4);
    CHECK(seen.foreign == 1);
    CHECK(seen.example == "nonsense");
  }
  sli::LogCounts counts(format({.format = "$status"}, false), sli::LogJudge({}, 0s));
  counts.add(std::string(200'000, 'x'));
  counts.add("\n200\n");
  const auto seen = counts.take();
  CHECK(seen.foreign == 1);
  CHECK(seen.total == 1);
}

TEST_CASE("a growing log is followed over half lines, a rotation and a truncation") {
  Followed log("503 1\n503 1\n");  // the past is not counted
  log.write("200 0.1\n503 0.1\n20");
  CHECK(log.reaches(2, 1));
  log.write("0 0.1\n");
  CHECK(log.reaches(3, 1));
  log.rotate();
  std::ofstream(log.file().string() + ".1", std::ios::app) << "500 0.1\n";  // nginx was not told yet
  CHECK(log.reaches(4, 2));
  log.write("200 0.1\n");
  CHECK(log.reaches(5, 2));
  log.cut("");
  testing::eventually([] { return false; }, 100ms);
  log.write("502 0.1\n");
  CHECK(log.reaches(6, 3));
}

TEST_CASE("silence, foreign lines, a log that is gone and one that is held back are told") {
  Followed log;
  CHECK(log.says(Freshness::empty, "no line for"));
  log.write("hello\n200 0.1\n");
  CHECK(log.says(Freshness::partial, "1 of 2 lines are not of accessLog.format: hello"));
  std::filesystem::remove(log.file());
  CHECK(log.says(Freshness::error, "is gone"));
  testing::Directory directory;
  const auto file = directory.path() / "held";
  std::ofstream(file) << "";
  auto held = sli::access_log({.file = file.string(), .format = "$msec $status", .every = 20ms}, 0s, {}, boot_now());
  REQUIRE(held);
  std::ofstream(file, std::ios::app) << "1700000000.0 200\n";
  std::string problem;
  CHECK(testing::eventually([&] {
    for (const auto& slice : (*held)->drain()) problem = slice.problem;
    return problem.find("buffer") != std::string::npos;
  }));
}

TEST_CASE("a log that cannot be read, or is of another format, is refused before anything begins") {
  testing::Directory directory;
  const auto refused = [&](const spec::AccessLogSource& source) {
    const auto opened = sli::access_log(source, 0s, directory.path().string(), boot_now());
    REQUIRE_FALSE(opened);
    return opened.error().message;
  };
  CHECK(refused({.file = "none.log"}).find("none.log") != std::string::npos);
  CHECK(refused({.file = "."}).find("not a regular file") != std::string::npos);
  std::ofstream(directory.path() / "other.log") << "something else\n";
  CHECK(refused({.file = "other.log"}).find("such as: something else") != std::string::npos);
}

TEST_CASE("what a log holds already is the past that the budget comes from") {
  testing::Directory directory;
  const auto now = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  {
    std::ofstream log(directory.path() / "access.log");
    for (int i = 0; i < 1000; ++i) log << (now - 1000 + i) << ".0 " << (i % 100 == 0 ? 500 : 200) << "\n";
  }
  const spec::AccessLogSource source{.file = "access.log", .format = "$msec $status"};
  const auto history = sli::access_log_history(source, 0s, directory.path().string(), 720h);
  REQUIRE_MESSAGE(history, history.error().message);
  CHECK(history->events == 1000);
  CHECK(history->bad == 10);
  CHECK(seconds(history->covered) == doctest::Approx(1000).epsilon(0.01));
  const auto newest = sli::access_log_history(source, 0s, directory.path().string(), 500s);  // by the lines' times, not by their share
  REQUIRE_MESSAGE(newest, newest.error().message);
  CHECK(newest->events == doctest::Approx(500).epsilon(0.01));
  CHECK(newest->covered == 500s);
  std::ofstream(directory.path() / "access.log") << "";
  CHECK(sli::access_log_history(source, 0s, directory.path().string(), 720h).error().blame == Blame::missing);
}

// Lines of ten minutes, one a second; in two of the minutes every tenth request failed. Another minute has no line at all.
TEST_CASE("what a log holds already says which time slices of the past were bad, and the budget's gate goes by it") {
  const testing::Directory directory;
  const auto now = std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
  const std::int64_t begin = (now / 60 - 11) * 60;
  {
    std::ofstream log(directory.path() / "access.log");
    for (std::int64_t t = begin; t < begin + 600; ++t) {
      const std::int64_t minute = (t - begin) / 60;
      if (minute == 7) continue;
      log << t << ".000 " << ((minute == 2 || minute == 5) && t % 10 == 0 ? 503 : 200) << " 0.010\n";
    }
  }
  const spec::AccessLogSource source{.file = "access.log", .format = "$msec $status $request_time"};
  const auto slices = sli::access_log_past(source, 0s, directory.path().string(), 720h, 60s);
  REQUIRE_MESSAGE(slices, slices.error().message);
  REQUIRE(slices->size() == 10);
  for (std::size_t i = 0; i < 10; ++i) {
    CHECK((*slices)[i].begin == std::chrono::seconds(begin + static_cast<std::int64_t>(i) * 60));
    CHECK((*slices)[i].total == (i == 7 ? 0 : 60));
    CHECK((*slices)[i].bad == (i == 2 || i == 5 ? 6 : 0));
  }
  spec::Experiment experiment;
  experiment.directory = directory.path().string();
  experiment.slos.push_back({.name = "pay", .objective = 0.99, .measures = {{.source = source}}});
  auto& slo = experiment.slos[0];
  slo.method = spec::Method::timeslices;
  slo.slice = 60s;
  slo.slice_target = 0.95;
  const auto spent = [&] {
    const auto config = engine::guard_config(experiment);
    REQUIRE_MESSAGE(config, config.error().message);
    CHECK(config->slos[0].sources[0].extrapolated);  // ten minutes of the window
    return config->slos[0].sources[0].window_bad;
  };
  CHECK(spent() == 2);
  slo.empty = spec::EmptySlice::bad;
  CHECK(spent() == 3);
  slo.empty = spec::EmptySlice::good;
  slo.method = spec::Method::ratio_timeslices;
  CHECK(spent() == doctest::Approx(0.2));
  slo.method = spec::Method::timeslices;
  slo.window = 1h;  // of 60 slices 1 % may be bad: less than the two
  const auto refused = guard::Guard::make(engine::guard_config(experiment).value());
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message.find("no error budget is left") != std::string::npos);
}
