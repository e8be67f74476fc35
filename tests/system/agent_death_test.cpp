// Who dies, what happens: a real agent with real faults, each kind of process ended at a random moment, and the machine compared with what
// it was before.
#include "injector/core/id.hpp"
#include "injector/core/json.hpp"
#include "injector/host/files.hpp"
#include "tests/support/agent.hpp"
#include "tests/support/snapshot.hpp"

#include <sys/stat.h>

#include <doctest/doctest.h>
#include <test_paths.hpp>

#include <array>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <functional>
#include <random>
#include <thread>

using namespace arashi;
using namespace arashi::testing;
using namespace std::chrono_literals;

namespace {

// Two namespaces with a link between them and a process in one: what the faults hit.
struct Victims {
  Pair pair{"ag"};
  Child process = sleeper(pair.left.path());
  std::vector<std::string> ids{new_id(), new_id()};
  Snapshot before = look();

  [[nodiscard]] Snapshot look() const {
    return take({.netns = {pair.left.name(), pair.right.name()}, .processes = {process.pid()}, .ids = ids});
  }
  [[nodiscard]] Selector by_pid() const { return {.kind = "process", .match = {{"pid", std::to_string(process.pid())}}}; }
  [[nodiscard]] Selector by_netns() const { return {.kind = "netns", .match = {{"name", pair.left.name()}}}; }
  [[nodiscard]] bool stopped() const { return process_state(process.pid()) == 'T'; }
  [[nodiscard]] bool cut_off() const { return pair.right.run({"ping", "-c1", "-W1", Pair::left_v4}).exit_code != 0; }
  [[nodiscard]] bool as_before() const { return difference(before, look()).empty(); }

  // What differs from before once it has had time to go; empty is as it should be.
  [[nodiscard]] std::string left_behind() const {
    (void)eventually([this] { return as_before(); }, 10s);
    return difference(before, look());
  }
};

// A process that stands still and a link that carries nothing, under a lease that outlives the test.
void hit(const Agent& agent, const Victims& victims, Duration ttl = 60s) {
  const auto lease = agent.lease("death", ttl);
  REQUIRE_MESSAGE(lease.status == 200, lease.body);
  const auto paused = agent.inject("death", victims.ids[0], "process.pause", victims.by_pid(), "{}");
  REQUIRE_MESSAGE(paused.status == 200, paused.body);
  const auto parted = agent.inject("death", victims.ids[1], "network.impair", victims.by_netns(), R"({"loss":1,"direction":"egress"})");
  REQUIRE_MESSAGE(parted.status == 200, parted.body);
  REQUIRE(victims.stopped());
  REQUIRE(victims.cut_off());
}

// How long until both are gone, in milliseconds; the budget is told by tests/bench, here only that it ends.
void check_gone(const Victims& victims, const std::string& what) {
  const auto begin = boot_now();
  const bool running = eventually([&] { return !victims.stopped(); }, 15s);
  const auto took = boot_now() - begin;
  CHECK(running);
  CHECK(eventually([&] { return !victims.cut_off(); }, 10s));
  CHECK(victims.left_behind() == "");
  MESSAGE(what << ": the process runs again after " << took / 1ms << " ms");
}

void end_now(std::int32_t pid) {
  REQUIRE(pid > 0);
  REQUIRE(kill(pid, SIGKILL) == 0);
}

// Stopped first: one that saw another one die would take everything back.
void end_all_at_once(const Agent& agent) {
  const auto all = agent.pids();
  for (const auto pid : all) ::kill(pid, SIGSTOP);
  for (const auto pid : all) end_now(pid);
}

}  // namespace

TEST_CASE("a killed injector process: everything is reverted and the agent serves again") {
  const Victims victims;
  const Agent agent;
  hit(agent, victims);
  end_now(agent.injector_pid());
  check_gone(victims, "injector killed");
  REQUIRE(eventually([&] { return agent.answers(); }, 20s));
  CHECK(agent.live() == 0);
  hit(agent, victims);
  CHECK(agent.halt("death").status == 200);
  check_gone(victims, "halted");
}

TEST_CASE("a killed supervisor: everything is reverted and no process stays") {
  const Victims victims;
  Agent agent;
  hit(agent, victims);
  const auto pids = agent.pids();
  end_now(agent.supervisor_pid());
  check_gone(victims, "supervisor killed");
  CHECK(agent.supervisor().wait(boot_now() + 5s) == 128 + SIGKILL);
  for (const auto pid : pids) CHECK(eventually([pid] { return process_state(pid) == 0 || process_state(pid) == 'Z'; }));
  CHECK_FALSE(std::filesystem::exists(agent.socket()));
}

TEST_CASE("a killed api process: it is started again and the faults live on under their lease") {
  const Victims victims;
  const Agent agent;
  hit(agent, victims);
  const auto old = agent.api_pid();
  end_now(old);
  REQUIRE(eventually([&] { return agent.lease("death", 60s).status == 200; }, 20s));
  CHECK(agent.api_pid() != old);
  CHECK(victims.stopped());
  CHECK(agent.live() == 2);
  CHECK(agent.halt("").status == 200);
  check_gone(victims, "halted");
}

TEST_CASE("all processes killed at once: everything is reverted at the next start") {
  const Victims victims;
  Agent agent;
  hit(agent, victims);
  end_all_at_once(agent);
  CHECK(agent.supervisor().wait(boot_now() + 5s) == 128 + SIGKILL);
  CHECK(victims.stopped());
  agent.start();
  check_gone(victims, "started again");
  CHECK(agent.live() == 0);
}

TEST_CASE("all processes killed at once: arashi-agent recover takes back everything and says so") {
  const Victims victims;
  Agent agent;
  hit(agent, victims);
  end_all_at_once(agent);
  CHECK(agent.supervisor().wait(boot_now() + 5s) == 128 + SIGKILL);
  const auto ran = run({BIN_DIR "/arashi-agent", "recover", "--run-dir", agent.run_dir()}, 30s);
  CHECK_MESSAGE(ran.exit_code == 0, ran.output);
  for (const auto& id : victims.ids) CHECK(ran.output.find(id) != std::string::npos);
  check_gone(victims, "recovered");
  const auto again = run({BIN_DIR "/arashi-agent", "recover", "--run-dir", agent.run_dir()}, 30s);
  CHECK(again.exit_code == 0);
  CHECK(again.output == "");
}

TEST_CASE("a runner that is gone or frozen: its faults end with its lease, and the agent serves on") {
  const Victims victims;
  const Agent agent;
  hit(agent, victims, 8s);  // long enough to inject on a busy machine
  check_gone(victims, "lease of at most 8 s not renewed");
  CHECK(agent.answers());
  CHECK(agent.inject("death", new_id(), "process.pause", victims.by_pid(), "{}").status == 409);
}

TEST_CASE("an embedded agent reverts and ends with its standard input") {
  const Victims victims;
  Agent agent;
  hit(agent, victims);
  const auto pids = agent.pids();
  const auto begin = boot_now();
  CHECK(agent.end() == 0);
  MESSAGE("embedded agent ended after " << (boot_now() - begin) / 1ms << " ms");
  CHECK_FALSE(victims.stopped());
  check_gone(victims, "runner gone");
  for (const auto pid : pids) CHECK(process_state(pid) == 0);
  CHECK_FALSE(std::filesystem::exists(agent.socket()));
}

TEST_CASE("SIGTERM ends an agent of its own in order") {
  const Victims victims;
  Agent agent({}, Agent::Life::on_its_own);
  hit(agent, victims);
  agent.supervisor().signal(SIGTERM);
  CHECK(agent.supervisor().wait(boot_now() + 20s) == 0);
  CHECK_FALSE(victims.stopped());
  check_gone(victims, "SIGTERM");
}

TEST_CASE("an agent of its own outlives its standard input") {
  Agent agent({}, Agent::Life::on_its_own);
  agent.supervisor().input().reset();
  CHECK_FALSE(agent.supervisor().wait(boot_now() + 300ms).has_value());
  CHECK(agent.answers());
}

TEST_CASE("a frozen injector process is ended by the supervisor's watchdog, and its faults with it") {
  const Victims victims;
  const Agent agent;
  hit(agent, victims);
  const auto old = agent.injector_pid();
  REQUIRE(kill(old, SIGSTOP) == 0);
  check_gone(victims, "injector frozen");
  REQUIRE(eventually([&] { return agent.answers(); }, 20s));
  CHECK(agent.injector_pid() != old);
}

TEST_CASE("a frozen api process: the faults end with the lease that can't be renewed") {
  const Victims victims;
  const Agent agent;
  hit(agent, victims, 8s);
  const auto api = agent.api_pid();
  REQUIRE(kill(api, SIGSTOP) == 0);
  check_gone(victims, "api frozen, lease of at most 8 s");
  REQUIRE(kill(api, SIGCONT) == 0);
  CHECK(eventually([&] { return agent.answers(); }, 10s));
}

TEST_CASE("a process that dies at a random moment of an injection leaves nothing behind") {
  std::mt19937 random(std::random_device{}());
  std::uniform_int_distribution<int> microseconds(0, 30'000);
  for (int round = 0; round < 9; ++round) {
    const Victims victims;
    Agent agent;
    REQUIRE(agent.lease("death", 60s).status == 200);
    const std::array<std::int32_t, 3> candidates{agent.injector_pid(), agent.supervisor_pid(), agent.api_pid()};
    const auto pid = candidates.at(static_cast<std::size_t>(round) % 3);
    const auto wait = std::chrono::microseconds(microseconds(random));
    CAPTURE(round);
    CAPTURE(wait.count());
    {
      std::jthread runner([&] {
        (void)agent.inject("death", victims.ids[0], "process.pause", victims.by_pid(), "{}");
        (void)agent.inject("death", victims.ids[1], "network.impair", victims.by_netns(), R"({"loss":0.5})");
      });
      std::this_thread::sleep_for(wait);
      end_now(pid);
    }
    if (pid == candidates[2]) (void)eventually([&] { return agent.halt("").status == 200; }, 20s);
    CHECK(victims.left_behind() == "");
  }
}

namespace {

using Harm = std::pair<std::string, std::function<void(const std::filesystem::path& run_dir)>>;

void flip_a_bit_in_each_line(const std::filesystem::path& journal) {
  auto text = read_text(journal).value_or("");
  for (std::size_t at = 0; at < text.size(); at = text.find('\n', at) + 1) text[at] = static_cast<char>(text[at] ^ 1);
  std::ofstream(journal, std::ios::binary) << text;
}

const std::vector<Harm>& harms() {
  namespace fs = std::filesystem;
  static const std::vector<Harm> all{{"run directory removed", [](const fs::path& run) { fs::remove_all(run); }},
                                     {"file removed", [](const fs::path& run) { fs::remove(run / "journal"); }},
                                     {"file truncated", [](const fs::path& run) { fs::resize_file(run / "journal", 17); }},
                                     {"a bit flipped in each line", [](const fs::path& run) { flip_a_bit_in_each_line(run / "journal"); }},
                                     {"a link in its place", [](const fs::path& run) {
                                        fs::remove(run / "journal");
                                        fs::create_symlink("/dev/null", run / "journal");
                                      }}};
  return all;
}

bool is_written_down(const Agent& agent, const Victims& victims) {
  const auto journal = agent.run_dir() / "journal";
  if (std::filesystem::is_symlink(journal)) return false;
  const auto text = read_text(journal).value_or("");
  return text.starts_with("arashi journal 1\n") && text.find(victims.ids[0]) != std::string::npos &&
         text.find(victims.ids[1]) != std::string::npos;
}

}  // namespace

TEST_CASE("a journal that is lost while faults live, and then the injector process is killed at once: all is reverted all the same") {
  for (const auto& [name, harm] : harms()) {
    CAPTURE(name);
    const Victims victims;
    const Agent agent;
    hit(agent, victims);
    const auto pid = agent.injector_pid();
    harm(agent.run_dir());
    end_now(pid);
    check_gone(victims, name);
  }
}

TEST_CASE("a journal that is lost while faults live is written anew within a second") {
  for (const auto& [name, harm] : harms()) {
    CAPTURE(name);
    const Victims victims;
    Agent agent;
    hit(agent, victims);
    harm(agent.run_dir());
    const auto begin = boot_now();
    CHECK(eventually([&] { return is_written_down(agent, victims); }, 10s));
    MESSAGE(name << ": written anew after " << (boot_now() - begin) / 1ms << " ms");
    end_all_at_once(agent);
    const auto ran = run({BIN_DIR "/arashi-agent", "recover", "--run-dir", agent.run_dir()}, 30s);
    CHECK_MESSAGE(ran.exit_code == 0, ran.output);
    check_gone(victims, name);
  }
}

TEST_CASE("a run directory that others can write to: everything is reverted and nothing is injected any more") {
  const Victims victims;
  const Agent agent;
  hit(agent, victims);
  REQUIRE(chmod(agent.run_dir().c_str(), 0777) == 0);
  check_gone(victims, "directory writable by others");
  const auto refused = agent.inject("death", new_id(), "process.pause", victims.by_pid(), "{}");
  CHECK(refused.status == 501);
  CHECK(refused.body.find("writable by others") != std::string::npos);
  CHECK_FALSE(victims.stopped());
  REQUIRE(chmod(agent.run_dir().c_str(), 0700) == 0);
}

TEST_CASE("recover says by its exit code that it can't know what was there") {
  for (const auto& [name, harm] : harms()) {
    CAPTURE(name);
    const Victims victims;
    Agent agent;
    hit(agent, victims);
    end_all_at_once(agent);
    CHECK(agent.supervisor().wait(boot_now() + 5s) == 128 + SIGKILL);
    harm(agent.run_dir());
    const auto ran = run({BIN_DIR "/arashi-agent", "recover", "--run-dir", agent.run_dir()}, 30s);
    CHECK(ran.exit_code == 6);
    CHECK(ran.output.find("journal") != std::string::npos);
    REQUIRE(kill(victims.process.pid(), SIGCONT) == 0);
  }
  const Directory nothing;
  std::filesystem::create_directory(nothing.path() / "open");
  REQUIRE(chmod((nothing.path() / "open").c_str(), 0777) == 0);
  CHECK(run({BIN_DIR "/arashi-agent", "recover", "--run-dir", nothing.path() / "open"}, 30s).exit_code == 6);
}
