// What a counting program prints, and the program that is run.
#include "experiments/sli/program.hpp"
#include "experiments/sli/program_output.hpp"
#include "tests/support/child.hpp"

#include <doctest/doctest.h>

using namespace arashi;
using namespace std::chrono_literals;
using guard::Freshness;

namespace {

constexpr double zero = 1000;

std::vector<guard::Slice> collect(const spec::CommandSource& from, std::size_t most, Duration limit = 20s) {
  auto source = sli::program(from, "/tmp", boot_now());
  REQUIRE_MESSAGE(source, source.error().message);
  std::vector<guard::Slice> all;
  testing::eventually(
      [&] {
        for (auto& slice : (*source)->drain()) all.push_back(std::move(slice));
        return all.size() >= most;
      },
      limit);
  return all;
}

}  // namespace

TEST_CASE("lines are counts since the line before, or counters that are differenced") {
  sli::ProgramOutput counts(false);
  CHECK(counts.read("{\"t\": 1010, \"good\": 5, \"bad\": 5}\n", 12s, zero)->empty());
  const auto slices = *counts.read(
      "{\"t\": 1010, \"good\": 5, \"bad\": 5}\n{\"t\": 1011.5, \"good\": 9, \"bad\": 1}\r\n\n{\"total\": 20, \"bad\": 2}", 13s, zero);
  REQUIRE(slices.size() == 2);
  CHECK(slices[0].begin == 10s);
  CHECK(slices[0].end == 11500ms);
  CHECK(slices[0].total == 10);
  CHECK(slices[0].bad == 1);
  CHECK(slices[1].end == 13s);
  CHECK(slices[1].total == 20);
  CHECK(counts.read("{\"t\": 99999, \"good\": 1, \"bad\": 0}", 14s, zero)->at(0).end == 14s);  // the future hides no blindness

  sli::ProgramOutput counters(true);
  CHECK(counters.read(R"({"good": 100, "bad": 3})", 10s, zero)->empty());
  CHECK(counters.read(R"({"good": 150, "bad": 5})", 11s, zero)->at(0).total == 52);
  const auto anew = counters.read(R"({"good": 4, "bad": 1})", 12s, zero)->at(0);
  CHECK(anew.total == 5);
  CHECK(anew.bad == 1);
}

TEST_CASE("what is no such line is an error that shows it") {
  const std::vector<std::pair<std::string, std::string>> table{
      {"hello", "'hello' is not a line such as"},
      {"[1]", "is not a line"},
      {R"({"good": 1})", "needs \"bad\""},
      {R"({"bad": 1})", "needs \"bad\" and one of"},
      {R"({"good": 1, "total": 2, "bad": 1})", "one of"},
      {R"({"good": -1, "bad": 0})", "'good' is -1"},
      {R"({"good": "9", "bad": 0})", "'good' is \"9\""},
      {R"({"total": 1, "bad": 2})", "more are bad"},
      {R"({"total": null, "bad": 2})", "one of"},
      {std::string(5000, ' ') + "x", "5001 bytes"},
  };
  for (const auto& [text, word] : table) {
    sli::ProgramOutput output(false);
    const auto read = output.read(text, 1s, zero);
    REQUIRE_FALSE(read);
    CHECK_MESSAGE(read.error().message.find(word) != std::string::npos, read.error().message);
  }
  sli::ProgramOutput output(false);  // all or nothing
  CHECK_FALSE(output.read("{\"good\": 1, \"bad\": 0}\nbroken", 1s, zero));
  CHECK(output.known_until() == 0s);
}

TEST_CASE("a program is run again and again, in its directory") {
  const auto slices = collect({.run = {"sh", "-c", R"(test "$PWD" = /tmp && echo '{"good": 9, "bad": 1}')"}, .every = 1s},
                              3);  // nine tenths of it are long enough to start a shell
  REQUIRE(slices.size() >= 3);
  CHECK(slices[0].state == Freshness::fresh);
  CHECK(slices[0].total == 10);
  CHECK(slices[1].begin == slices[0].end);
}

TEST_CASE("a program that fails, hangs, says nothing new or is not there is told") {
  const auto problem = [](std::vector<std::string> run, Duration every = 2s) {
    const auto slices = collect({.run = std::move(run), .every = every}, 1);
    REQUIRE_FALSE(slices.empty());
    CHECK(slices[0].total == 0);
    return std::string(guard::name_of(slices[0].state)) + ": " + slices[0].problem;
  };
  CHECK(problem({"sh", "-c", "echo no database >&2; exit 3"}) == "error: 'sh' failed with exit code 3: no database");
  CHECK(problem({"sleep", "30"}, 100ms) == "error: 'sleep' did not end within 90ms");
  CHECK(problem({"true"}) == "stale: 'true' prints nothing new");
  CHECK(problem({"/no/such/program"}).find("no/such/program") != std::string::npos);
}
