// A partition between two groups of an experiment, written as one does and run by the real `arashi`; seen by ping from every side.
#include "tests/support/lan.hpp"

#include <doctest/doctest.h>
#include <test_paths.hpp>

#include <unistd.h>
#include <fstream>

namespace arashi::testing {

namespace {

// Two ends of each group, and one that is in neither.
struct Groups {
  Lan lan{{"ga", "ga", "gb", "gb", "gc"}};
  Directory directory;
  [[nodiscard]] std::string spec() const {
    const auto pid = std::to_string(::getpid());
    auto file = directory.path() / "spec.yaml";
    std::ofstream(file) << "apiVersion: arashi.dev/v1\nkind: Experiment\nmetadata: {name: split}\nspec:\n  targets:\n"
                           "    left: {netns: {name: 'ga-"
                        << pid << "-*'}}\n    right: {netns: {name: 'gb-" << pid
                        << "-*'}}\n  checks:\n    ok: {command: [\"true\"], when: [before]}\n  steadyState: {for: 0s}\n  timeline:\n"
                           "    - {at: 0s, for: 12s, fault: network.partition, on: left, with: {peers: [{target: right}]}}\n"
                           "  recovery: {within: 5s}\n  limits: {targets: 4, share: 100%, duration: 1m}\n";
    return file.string();
  }
};

}  // namespace

TEST_CASE("a partition between two groups: no one of one reaches any of the other, and all else goes on") {
  const Groups groups;
  auto run = spawn({.argv = {BIN_DIR "/arashi", "run", "--run-dir", groups.directory.path() / "state", groups.spec()},
                    .directory = groups.directory.path(),
                    .errors_into_output = true});
  std::string said;
  for (int active = 0; active < 2;) {
    const auto line = read_line(run, std::chrono::seconds(20));
    REQUIRE_MESSAGE(line.has_value(), said);
    said += *line + "\n";
    if (line->find("active: network.partition") != std::string::npos) ++active;
  }
  for (const std::size_t left : {0U, 1U})
    for (const std::size_t right : {2U, 3U}) {
      INFO(left, " and ", right);
      CHECK_FALSE(groups.lan.reaches(left, Lan::v4(right)));
      CHECK_FALSE(groups.lan.reaches(right, Lan::v6(left)));
    }
  for (const auto& [from, to] : {std::pair{0U, 1U}, {2U, 3U}, {4U, 0U}, {4U, 3U}, {1U, 4U}}) {
    CHECK(groups.lan.reaches(from, Lan::v4(to)));
    CHECK(groups.lan.reaches(from, Lan::v6(to)));
  }
  said += read_all(run, std::chrono::seconds(30));
  CHECK_MESSAGE(run.wait(boot_now() + std::chrono::seconds(5)) == 0, said);
  CHECK(groups.lan.reaches(0, Lan::v4(2)));
  CHECK(groups.lan.reaches(3, Lan::v6(1)));
}

}  // namespace arashi::testing
