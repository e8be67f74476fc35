// Every process of the agent is killed at once, at a random moment of a dozen injections of every kind; then the machine is as it was once
// `arashi-agent recover` has run, or the agent has started again. ARASHI_SEED=N repeats the moments of an earlier run.
#include "injector/core/id.hpp"
#include "injector/core/json.hpp"
#include "injector/fault.hpp"
#include "injector/host/files.hpp"
#include "tests/support/agent.hpp"
#include "tests/support/cgroups.hpp"
#include "tests/support/snapshot.hpp"

#include <doctest/doctest.h>
#include <test_paths.hpp>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <random>
#include <sstream>
#include <thread>

using namespace arashi;
using namespace arashi::testing;
using namespace std::chrono_literals;

namespace {

constexpr int rounds = 8;

struct Blow {
  std::string fault;
  Selector target;
  Json given;
  std::string params = {};  // canonical
};

Selector by_name(const Namespace& netns) { return {.kind = "netns", .match = {{"name", netns.name()}}}; }
Selector by_pid(const Child& child) { return {.kind = "process", .match = {{"pid", std::to_string(child.pid())}}}; }

std::string canonical(const Blow& blow) {
  const auto checked = check_params(find_fault(blow.fault)->params, blow.given);
  if (!checked.problems.empty()) FAIL(blow.fault << ": " << checked.problems.front().message);
  return to_text(checked.canonical);
}

// What is hit: two pairs of namespaces, processes, a cgroup and a file.
class Ground {
 public:
  Ground() {
    std::filesystem::create_directory(files());
    for (const auto* each : {&near_.left, &near_.right, &far_.left, &far_.right})  // as a firewall has it: connections are tracked
      REQUIRE(each->run({"nft",
                         "add table inet theirs; add chain inet theirs out { type filter hook output priority 0; }; "
                         "add rule inet theirs out ct state invalid drop"})
                  .exit_code == 0);
  }

  [[nodiscard]] std::vector<Blow> blows() const {
    const std::string peer = Pair::right_v4;
    const auto file = (files() / "it").string();
    const std::string command = "touch " + file + "; sleep 300 >/dev/null 2>&1 & disown; true";
    return {{"process.pause", by_pid(paused_), {{"mechanism", "sigstop"}}},
            {"process.pause", {.kind = "cgroup", .match = {{"path", cgroup_.below_root()}}}, Json::object()},
            {"process.kill", {.kind = "cgroup", .match = {{"path", struck_.below_root()}}}, {{"signal", "USR1"}, {"every", "100ms"}}},
            {"network.impair", by_name(near_.left), {{"loss", "50%"}, {"direction", "egress"}}},
            {"network.impair", by_name(near_.right), {{"delay", "20ms"}, {"backend", "tap"}}},
            {"network.reset", by_name(near_.left), {{"new", "50%"}, {"every", "1s"}}},
            {"conntrack.exhaust", by_name(near_.left), {{"share", "1%"}}},
            {"network.partition", by_name(far_.left), {{"peers", {peer}}}},
            {"dns.answer", by_name(far_.left), {{"answer", "servfail"}}},
            {"ports.exhaust", by_name(far_.left), {{"protocol", "both"}, {"share", "1%"}}},
            {"network.down", by_name(far_.right), {{"device", "eth0"}}},
            {"command.run", {.kind = "node", .match = {}}, {{"command", {"bash", "-c", command}}, {"undo", {"rm", "-f", file}}}}};
  }

  [[nodiscard]] Snapshot look(const std::vector<std::string>& ids) const {
    Extent scope{
        .directories = {files()}, .cgroups = {cgroup_.path(), struck_.path()}, .processes = {paused_.pid(), signalled_.pid()}, .ids = ids};
    for (const auto* each : {&near_.left, &near_.right, &far_.left, &far_.right}) scope.netns.push_back(each->name());
    auto seen = take(scope);
    seen["entries of conntrack.exhaust"] = {near_.left.run({"sh", "-c", "grep -c 'src=198.18' /proc/net/nf_conntrack"}).output};
    return seen;
  }

 private:
  [[nodiscard]] std::filesystem::path files() const { return directory_.path() / "files"; }
  Directory directory_;
  Pair near_{"ln"}, far_{"lf"};
  Cgroup cgroup_, struck_;
  Child paused_ = sleeper(), signalled_ = spawn({.argv = {"sh", "-c", "trap '' USR1; exec sleep 600"}, .cgroups = {struck_.path()}}),
        frozen_ = sleeper({}, {cgroup_.path()});
};

// The agent's processes, and with `workers` all that they have started too, before any of them can act on another's death.
void end_at_once(const Agent& agent, bool workers) {
  auto all = agent.pids();
  std::erase(all, 0);
  for (const auto pid : all) ::kill(pid, SIGSTOP);
  for (std::size_t i = 0; workers && i < all.size(); ++i) {
    const auto name = std::to_string(all[i]);
    std::error_code error;
    for (std::filesystem::directory_iterator task("/proc/" + name + "/task", error), end; !error && task != end; task.increment(error)) {
      std::istringstream children(read_text(task->path() / "children").value_or(""));
      for (std::int32_t pid = 0; children >> pid;)
        if (std::ranges::find(all, pid) == all.end()) all.push_back(pid);
    }
  }
  for (const auto pid : all) ::kill(pid, SIGKILL);
}

class Storm {
 public:
  Storm() : before_(ground_.look({"none"})), blows_(ground_.blows()) {
    for (auto& blow : blows_) blow.params = canonical(blow);
    const auto* const given = std::getenv("ARASHI_SEED");
    seed_ = given != nullptr ? static_cast<unsigned>(std::strtoul(given, nullptr, 10)) : std::random_device{}();
    MESSAGE("ARASHI_SEED=" << seed_);
    random_.seed(seed_);
  }

  // All of it, and back by a halt: so it is known that each can be done, and how long all take.
  void calm() {
    begin();
    const auto begun = boot_now();
    for (const auto& each : inject_all()) REQUIRE_MESSAGE(each.second.status == 200, each.first, ": ", each.second.body);
    all_take_ = boot_now() - begun;
    CHECK(agent_.live() == blows_.size());
    CHECK(difference(before_, ground_.look(ids_)) != "");
    REQUIRE(agent_.halt(experiment_).status == 200);
    check_as_before("halted");
  }

  // `again` brings an agent that was killed back, or takes its faults back.
  template <class Again>
  void strike(int round, Again again) {
    begin();
    std::ranges::shuffle(blows_, random_);
    const auto wait = std::chrono::duration_cast<Duration>(all_take_ * std::uniform_real_distribution<double>(0, 1.1)(random_));
    const bool workers = std::bernoulli_distribution(0.5)(random_);
    INFO("seed ", seed_, ", round ", round, ", after ", wait / 1ms, " of ", all_take_ / 1ms, " ms, workers too: ", workers);
    std::size_t done = 0;
    {
      std::jthread runner([&] {
        for (const auto& [id, reply] : inject_all()) done += reply.status == 200 ? 1 : 0;
      });
      std::this_thread::sleep_for(wait);
      end_at_once(agent_, workers);
    }
    again(agent_);
    check_as_before(std::to_string(done) + " of " + std::to_string(blows_.size()) + " were active");
    CHECK(difference({}, {{"files of injections", files_of_injections()}}) == "");
  }

 private:
  void begin() {  // one that has been ended gets no lease again
    experiment_ = "storm-" + std::to_string(ids_.size());
    REQUIRE(agent_.lease(experiment_, 60s).status == 200);
  }

  // Two at a time, as several targets' are.
  std::vector<std::pair<std::string, Agent::Reply>> inject_all() {
    std::vector<std::pair<std::string, Agent::Reply>> replies(blows_.size());
    for (auto& reply : replies) ids_.push_back(reply.first = new_id());
    std::atomic<std::size_t> next{0};
    const auto some = [&] {
      for (std::size_t i = next++; i < blows_.size(); i = next++)
        replies[i].second = agent_.inject(experiment_, replies[i].first, blows_[i].fault, blows_[i].target, blows_[i].params);
    };
    std::jthread other(some);
    some();
    other.join();
    return replies;
  }

  // What is in the agent's run directory by the name of an injection.
  [[nodiscard]] std::vector<std::string> files_of_injections() const {
    std::vector<std::string> found;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(agent_.run_dir()))
      if (std::ranges::any_of(ids_, [&](const auto& id) { return entry.path().filename().string().find(id) != std::string::npos; }))
        found.push_back(entry.path().string());
    return found;
  }

  void check_as_before(const std::string& when) const {
    INFO(when);
    (void)eventually([&] { return difference(before_, ground_.look(ids_)).empty(); }, 10s);
    CHECK(difference(before_, ground_.look(ids_)) == "");
  }

  Ground ground_;
  Agent agent_;
  Snapshot before_;
  std::vector<Blow> blows_;
  std::vector<std::string> ids_;
  std::string experiment_;
  Duration all_take_{};
  unsigned seed_ = 0;
  std::mt19937 random_;
};

}  // namespace

TEST_CASE("all of the agent killed at a random moment of many injections: recover leaves the machine as it was") {
  Storm storm;
  storm.calm();
  for (int round = 0; round < rounds; ++round)
    storm.strike(round, [](Agent& agent) {
      const auto ran = run({BIN_DIR "/arashi-agent", "recover", "--run-dir", agent.run_dir()}, 60s);
      CHECK_MESSAGE(ran.exit_code == 0, ran.output);
      agent.start();
      CHECK(agent.live() == 0);
    });
}

TEST_CASE("all of the agent killed at a random moment of many injections: the next start leaves the machine as it was") {
  Storm storm;
  storm.calm();
  for (int round = 0; round < rounds; ++round)
    storm.strike(round, [](Agent& agent) {
      agent.start();
      CHECK(agent.live() == 0);
    });
}
