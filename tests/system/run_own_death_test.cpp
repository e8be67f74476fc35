// What a run does when its own agent dies under it, or when it stood still itself.
#include "tests/support/http_server.hpp"
#include "tests/system/demo_platform.hpp"

#include <doctest/doctest.h>

#include <csignal>
#include <fstream>

namespace arashi::testing {

namespace fs = std::filesystem;

namespace {

using std::chrono::seconds;

std::vector<std::int32_t> children_of(std::int32_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/task/" + std::to_string(pid) + "/children");
  return {std::istream_iterator<std::int32_t>(file), {}};
}

// The supervisor first.
std::vector<std::int32_t> agent_of(const Run& run) {
  std::vector<std::int32_t> all = children_of(run.pid());
  for (std::size_t i = 0; i < all.size(); ++i)
    for (const auto child : children_of(all[i])) all.push_back(child);
  return all;
}

// One process stands still for a minute.
fs::path pausing(const fs::path& folder, std::int32_t victim, const std::string& more = "") {
  std::ofstream(folder / "it.yaml")
      << "apiVersion: arashi.dev/v1\nkind: Experiment\nmetadata: {name: own-death}\nspec:\n  targets:\n    it: {process: {pid: " << victim
      << "}}\n"
      << more
      << "  timeline:\n    - {at: 0s, for: 60s, on: it, fault: process.pause}\n  recovery: {within: 5s}\n  limits: {duration: 2m}\n";
  return folder / "it.yaml";
}

}  // namespace

TEST_CASE("all processes of a run's own agent are killed, or its supervisor alone: what it held is reverted at once, and told so") {
  for (const bool all : {true, false}) {
    CAPTURE(all);
    const Directory folder;
    auto victim = sleeper();
    Run run({pausing(folder.path(), victim.pid())});
    REQUIRE(eventually([&] { return process_state(victim.pid()) == 'T'; }, seconds(30)));
    auto agent = agent_of(run);
    REQUIRE(agent.size() >= 3);
    if (!all) agent.resize(1);
    for (const auto pid : agent) ::kill(pid, SIGSTOP);  // nobody may act on another's death
    for (const auto pid : agent) ::kill(pid, SIGKILL);
    CHECK(eventually([&] { return process_state(victim.pid()) == 'S'; }, seconds(12)));  // long before the minute is over
    CHECK(run.wait(seconds(60)) == 5);
    CHECK(run.output.find("agent local died") != std::string::npos);
    CHECK(run.output.find("left-behind") == std::string::npos);
    CHECK(run.steps() == std::vector<std::string>{"reverted"});
  }
}

TEST_CASE("a runner that is stopped for three seconds does not refute a healthy service, and says that it stood still") {
  const HttpServer server([](const Asked&) { return Answered{}; });
  const Directory folder;
  auto victim = sleeper();
  Run run({pausing(folder.path(), victim.pid(),
                   "  slos:\n    pay: {objective: 99%, window: 30d, load: l, latency: 1s}\n  load:\n    l: {url: '" + server.url() +
                       "', rate: 50/s}\n  steadyState: {for: 2s}\n")});
  REQUIRE(eventually([&] { return process_state(victim.pid()) == 'T'; }, seconds(40)));
  run.signal(SIGSTOP);
  std::this_thread::sleep_for(seconds(3));
  run.signal(SIGCONT);
  const int code = run.wait(seconds(100));
  CHECK(code == 5);
  REQUIRE(run.result.is_object());
  CHECK(run.result["reasons"].dump().find("the runner itself stood still for 3") != std::string::npos);
}

}  // namespace arashi::testing
