// The injector's own promises, with a user's command as the fault: it is as slow, or as wrong, as the case needs.
#include "injector/core/id.hpp"
#include "injector/host/cgroup.hpp"
#include "injector/host/files.hpp"
#include "tests/support/cgroups.hpp"
#include "tests/support/machine.hpp"

#include <sched.h>
#include <sys/mount.h>

#include <doctest/doctest.h>

#include <atomic>
#include <csignal>
#include <fstream>
#include <future>
#include <thread>

using namespace arashi;
using namespace arashi::testing;
using namespace std::chrono_literals;

namespace {

Request command(const Machine& machine, const std::string& script, const std::string& undo, const std::string& verify = "true",
                Duration duration = 60s) {
  const Json given{
      {"command", {"bash", "-c", script}}, {"undo", {"bash", "-c", undo}}, {"verify", {"bash", "-c", verify}}, {"timeout", "30s"}};
  return request("command.run", the_victim(machine.host(), {"node", {}}), given, duration);
}

std::string text_of(const std::filesystem::path& path) { return read_text(path).value_or(""); }

bool has_cgroup(const Host& host, const std::string& name) {
  const auto path = own_cgroup(host, name);
  return path && std::filesystem::exists(*path);
}

// A mount namespace of its own for this test process, with a small file system at `path`.
void mount_small(const std::filesystem::path& path) {
  std::filesystem::create_directories(path);
  if (::unshare(CLONE_NEWNS) != 0 || ::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0) FAIL("SKIP: needs CAP_SYS_ADMIN");
  REQUIRE(::mount("tmpfs", path.c_str(), "tmpfs", 0, "size=32k,mode=0700") == 0);
}

}  // namespace

TEST_CASE("a command is run, verified, shown as active, and undone once") {
  const Directory directory;
  Machine machine(directory.path());
  const auto file = (directory.path() / "log").string();
  const auto asked = command(machine, "echo done >> " + file + "; sleep 300 & disown", "echo undone >> " + file, "grep -q done " + file);
  const auto injected = machine.injector().inject("command.run", asked);
  REQUIRE_MESSAGE(injected.has_value(), injected.error().message);
  CHECK(injected->step == Step::active);
  CHECK(injected->evidence.in_place);
  CHECK(injected->evidence.bit);
  CHECK(pids_in(*own_cgroup(machine.host(), asked.id))->size() == 1);  // what it left running
  const auto ended = machine.injector().revert("test", "");
  REQUIRE(ended.size() == 1);
  CHECK_MESSAGE(ended[0].step == Step::reverted, ended[0].problem);
  CHECK(text_of(file) == "done\nundone\n");
  CHECK_FALSE(has_cgroup(machine.host(), asked.id));
  CHECK_FALSE(has_cgroup(machine.host(), asked.id + ".undo"));
  CHECK(machine.injector().revert("test", "").empty());
}

TEST_CASE("a command without verify never claims to have bitten") {
  const Directory directory;
  Machine machine(directory.path());
  const auto asked = request("command.run", the_victim(machine.host(), {"node", {}}), {{"command", {"true"}}, {"undo", {"true"}}});
  const auto injected = machine.injector().inject("command.run", asked);
  REQUIRE(injected.has_value());
  CHECK_FALSE(injected->evidence.in_place);
  CHECK_FALSE(injected->evidence.bit);
  CHECK(machine.injector().status().at(0).step == Step::active);
}

TEST_CASE("a command that fails, or is not there, or takes too long, is undone and says why") {
  const Directory directory;
  Machine machine(directory.path());
  const auto file = (directory.path() / "log").string();
  const auto refuse = [&](const Request& asked, const std::string& sign) {
    std::filesystem::remove(file);
    const auto injected = machine.injector().inject("command.run", asked);
    REQUIRE_FALSE(injected.has_value());
    CHECK_MESSAGE(injected.error().message.find(sign) != std::string::npos, injected.error().message);
    CHECK(text_of(file) == "undone\n");
    CHECK(machine.injector().live() == 0);
    CHECK_FALSE(has_cgroup(machine.host(), asked.id));
  };
  const std::string undo = "echo undone >> " + file;
  refuse(command(machine, "echo no such luck; exit 3", undo), "exited with 3; it said: no such luck");
  refuse(command(machine, "true", undo, "exit 1"), "verify exited with 1");
  refuse(command(machine, "kill -9 $$", undo), "ended by signal 9");
  auto slow = command(machine, "sleep 300", undo);
  slow.params["timeout"] = 200'000'000;
  refuse(slow, "killed after 200ms");
  auto absent = command(machine, "", undo);
  absent.params["command"] = {"no-such-program-anywhere"};
  refuse(absent, "no such program");
  auto loud = command(machine, "yes | head -c 1000000; exit 1", undo);
  refuse(loud, "more bytes");
}

TEST_CASE("a slow apply holds up neither another injection nor its own revert") {
  const Directory directory;
  Machine machine(directory.path());
  const auto file = (directory.path() / "log").string();
  const auto slow = command(machine, "echo begun >> " + file + "; sleep 25; echo end >> " + file, "echo undone >> " + file);
  auto injecting = std::async(std::launch::async, [&] { return machine.injector().inject("command.run", slow); });
  REQUIRE(eventually([&] { return text_of(file) == "begun\n"; }));

  const auto child = sleeper();
  const auto victim = the_victim(machine.host(), {"process", {{"pid", std::to_string(child.pid())}}});
  const auto started = boot_now();
  CHECK(machine.injector().inject("process.pause", request("process.pause", victim, {})).has_value());
  CHECK(machine.injector().status().size() == 2);
  const auto ended = machine.injector().revert("test", slow.id);
  REQUIRE(ended.size() == 1);
  CHECK_MESSAGE(ended[0].step == Step::reverted, ended[0].problem);
  CHECK(boot_now() - started < 10s);
  const auto injected = injecting.get();
  REQUIRE_FALSE(injected.has_value());
  CHECK(injected.error().message.find("ended while it was being applied") != std::string::npos);
  CHECK(text_of(file) == "begun\nundone\n");
  CHECK(process_state(child.pid()) == 'T');
}

TEST_CASE("a second injection with the same claim is refused with the name of the first one's experiment") {
  const Directory directory;
  Machine machine(directory.path());
  const auto child = sleeper();
  const auto victim = the_victim(machine.host(), {"process", {{"pid", std::to_string(child.pid())}}});
  auto first = request("process.pause", victim, {});
  first.experiment = "the-first-one";
  REQUIRE(machine.injector().inject("process.pause", first).has_value());
  for (const bool only_plan : {true, false}) {
    const auto second = request("process.kill", victim, {});
    const auto error =
        only_plan ? machine.injector().prepare("process.kill", second).error() : machine.injector().inject("process.kill", second).error();
    CHECK(error.blame == Blame::refused);
    CHECK_MESSAGE(error.message.find("the-first-one") != std::string::npos, error.message);
  }
  CHECK(process_state(child.pid()) == 'T');
  REQUIRE(machine.injector().revert("the-first-one", "").size() == 1);
  CHECK(machine.injector().inject("process.pause", request("process.pause", victim, {})).has_value());
}

TEST_CASE("what is wrong with a request is said before anything is touched") {
  const Directory directory;
  Machine machine(directory.path());
  const auto child = sleeper();
  const auto victim = the_victim(machine.host(), {"process", {{"pid", std::to_string(child.pid())}}});
  const auto good = request("process.pause", victim, {});
  const auto refuse = [&](const std::string& fault, const Request& asked, Blame blame, const std::string& sign) {
    const auto injected = machine.injector().inject(fault, asked);
    REQUIRE_FALSE(injected.has_value());
    CHECK_MESSAGE(injected.error().blame == blame, injected.error().message);
    CHECK_MESSAGE(injected.error().message.find(sign) != std::string::npos, injected.error().message);
    CHECK(machine.injector().live() == 0);
  };
  refuse("process.puase", good, Blame::missing, "did you mean 'process.pause'");
  auto bad = good;
  bad.id = "../../etc";
  refuse("process.pause", bad, Blame::input, "not an injection's id");
  bad = good;
  bad.experiment.clear();
  refuse("process.pause", bad, Blame::input, "no experiment");
  bad = good;
  bad.duration = Duration::zero();
  refuse("process.pause", bad, Blame::input, "nothing would happen");
  bad = good;
  bad.params["mechanism"] = 7;
  refuse("process.pause", bad, Blame::input, "mechanism");
  bad = good;
  bad.victim.kind = "node";
  bad.victim.scope = Scope::node;
  refuse("process.pause", bad, Blame::input, "does not take a node");
  bad = good;
  bad.victim.start_time += 1;
  refuse("process.pause", bad, Blame::missing, "belongs to another process");
  CHECK(process_state(child.pid()) != 'T');
}

TEST_CASE("the agent's own processes are no targets, alone or in a cgroup") {
  const Directory directory;
  const Cgroup cgroup;
  const auto child = sleeper({}, {cgroup.path()});
  auto host = host_in(directory.path());
  host.protected_pids = {child.pid()};
  CHECK(resolve(host, {"process", {{"pid", std::to_string(child.pid())}}})->empty());
  CHECK(resolve(host, {"cgroup", {{"path", cgroup.below_root()}}})->empty());
  // A request that names it all the same, as a forged one would.
  const auto victim = the_victim(host_in(directory.path()), {"process", {{"pid", std::to_string(child.pid())}}});
  Injector injector(host, Journal::open(host.run, Journal::Durability::until_reboot).value(), std::nullopt);
  const auto injected = injector.inject("process.kill", request("process.kill", victim, {}));
  REQUIRE_FALSE(injected.has_value());
  CHECK(injected.error().blame == Blame::refused);
  CHECK(process_state(child.pid()) != '\0');
}

TEST_CASE("a deadline ends a fault, and tend says when it wants to be called") {
  const Directory directory;
  Machine machine(directory.path());
  auto& injector = machine.injector();
  CHECK_FALSE(injector.tend(boot_now()).has_value());
  const auto child = sleeper();
  const auto victim = the_victim(machine.host(), {"process", {{"pid", std::to_string(child.pid())}}});
  const auto injected = injector.inject("process.pause", request("process.pause", victim, {}, 30s));
  REQUIRE(injected.has_value());
  const auto next = injector.tend(boot_now());
  REQUIRE(next.has_value());
  CHECK(*next <= boot_now() + 500ms);
  CHECK(injector.tend(injected->deadline - 1ms).value() == injected->deadline);
  CHECK(process_state(child.pid()) == 'T');
  CHECK_FALSE(injector.tend(injected->deadline).has_value());
  CHECK(eventually([&] { return process_state(child.pid()) == 'S'; }));
  CHECK(injector.status().at(0).step == Step::reverted);
}

TEST_CASE("a worker that dies is reported as lost, and reverted all the same") {
  const Directory directory;
  Machine machine(directory.path());
  const Cgroup cgroup;
  const auto child = sleeper({}, {cgroup.path()});
  const auto victim = the_victim(machine.host(), {"cgroup", {{"path", cgroup.below_root()}}});
  const auto asked = request("process.kill", victim, {{"every", "1m"}});
  REQUIRE(machine.injector().inject("process.kill", asked).has_value());
  const auto worker = machine.host().workers->state(asked.id);
  REQUIRE(worker.alive);
  ::kill(worker.pid, SIGKILL);
  CHECK(eventually([&] {
    machine.injector().tend(boot_now());
    return machine.injector().status().at(0).step == Step::lost;
  }));
  CHECK(machine.injector().revert("", asked.id).at(0).step == Step::reverted);
}

TEST_CASE("an undo that fails is stuck, said so, and tried again until it works") {
  const Directory directory;
  Machine machine(directory.path());
  auto& injector = machine.injector();
  const auto allowed = (directory.path() / "allowed").string();
  const auto asked = command(machine, "true", "test -e " + allowed);
  REQUIRE(injector.inject("command.run", asked).has_value());
  const auto ended = injector.revert("test", "");
  REQUIRE(ended.size() == 1);
  CHECK(ended[0].step == Step::stuck);
  CHECK(ended[0].problem.find("undo exited with 1") != std::string::npos);
  CHECK(injector.live() == 1);
  CHECK(injector.tend(boot_now()).value() > boot_now());  // not at once
  std::ofstream(allowed) << "now";
  CHECK(eventually([&] {
    injector.tend(boot_now() + 5min);
    return injector.live() == 0;
  }));
  CHECK(injector.status().at(0).step == Step::reverted);
}

TEST_CASE("an undo is run though somebody has deleted its mark, or the run directory") {
  for (const bool whole_directory : {false, true}) {
    INFO(whole_directory);
    const Directory directory;
    const auto log = (directory.path() / "log").string();
    Machine machine(directory.path());
    const auto asked = command(machine, "echo done >> " + log, "echo undone >> " + log);
    REQUIRE(machine.injector().inject("command.run", asked).has_value());
    const auto mark = machine.host().run / (asked.id + ".undo");
    REQUIRE(std::filesystem::exists(mark));
    REQUIRE(std::filesystem::remove_all(whole_directory ? machine.host().run : mark) > 0);
    const auto ended = machine.injector().revert("test", "");
    REQUIRE(ended.size() == 1);
    CHECK_MESSAGE(ended[0].step == Step::reverted, ended[0].problem);
    CHECK(text_of(log) == "done\nundone\n");
  }
}

TEST_CASE("an undo is run by a recovery though its mark was deleted") {
  const Directory directory;
  const auto log = (directory.path() / "log").string();
  const auto host = host_in(directory.path());
  {
    auto journal = Journal::open(host.run, Journal::Durability::until_reboot);
    REQUIRE(journal);
    Injector injector(host, std::move(journal).value(), std::nullopt);
    const auto asked = request("command.run", the_victim(host, {"node", {}}),
                               {{"command", {"bash", "-c", "echo done >> " + log}}, {"undo", {"bash", "-c", "echo undone >> " + log}}});
    REQUIRE(injector.inject("command.run", asked).has_value());
    REQUIRE(std::filesystem::remove(host.run / (asked.id + ".undo")));
  }
  Injector recovering(host, Journal::open(host.run, Journal::Durability::until_reboot).value(), std::nullopt);
  REQUIRE(recovering.recover().size() == 1);
  CHECK(text_of(log) == "done\nundone\n");
}

TEST_CASE("what another boot left is only noted, unless it outlives reboots") {
  const Directory directory;
  const auto host = host_in(directory.path());
  const auto log = (directory.path() / "log").string();
  {
    auto journal = Journal::open(host.run, Journal::Durability::until_reboot);
    auto disk = Journal::open(host.state, Journal::Durability::on_disk);
    REQUIRE(disk.has_value());
    Injection record{.id = new_id(), .experiment = "old", .fault = "command.run", .boot = "another boot", .step = Step::active};
    record.change = {{"id", record.id},
                     {"boot", "another boot"},
                     {"command", {"true"}},
                     {"undo", {"bash", "-c", "echo undone >> " + log}},
                     {"verify", Json::array()},
                     {"timeout", 5'000'000'000},
                     {"undoTimeout", 5'000'000'000},
                     {"env", Json::object()}};
    REQUIRE(journal->append(record));
    record.id = new_id();
    record.change["id"] = record.id;
    record.outlives_reboot = true;
    REQUIRE(disk->append(record));
  }
  Injector injector(host, Journal::open(host.run, Journal::Durability::until_reboot).value(),
                    Journal::open(host.state, Journal::Durability::on_disk).value());
  const auto ended = injector.recover();
  REQUIRE(ended.size() == 2);
  for (const auto& each : ended) CHECK_MESSAGE(each.step == Step::reverted, each.problem);
  CHECK(text_of(log) == "undone\n");
  CHECK(injector.recover().empty());
}

TEST_CASE("a record of a fault that this release does not know is stuck, and stays in the journal") {
  const Directory directory;
  const auto host = host_in(directory.path());
  REQUIRE(Journal::open(host.run, Journal::Durability::until_reboot)
              ->append({.id = new_id(), .experiment = "new", .fault = "clock.skew", .boot = boot_id().value()}));
  {
    Injector injector(host, Journal::open(host.run, Journal::Durability::until_reboot).value(), std::nullopt);
    const auto ended = injector.recover();
    REQUIRE(ended.size() == 1);
    CHECK(ended[0].step == Step::stuck);
    CHECK(ended[0].problem.find("clock.skew") != std::string::npos);
  }
  CHECK(Journal::open(host.run, Journal::Durability::until_reboot)->open_injections().size() == 1);
}

TEST_CASE("with a full disk under the journal nothing is injected, and what is active can still be reverted") {
  const Directory directory;
  mount_small(directory.path() / "run");
  Machine machine(directory.path());
  const auto one = sleeper();
  const auto two = sleeper();
  const auto victim = [&](const Child& child) { return the_victim(machine.host(), {"process", {{"pid", std::to_string(child.pid())}}}); };
  REQUIRE(machine.injector().inject("process.pause", request("process.pause", victim(one), {})).has_value());
  std::ofstream(directory.path() / "run" / "filler") << std::string(64 << 10, 'x');
  // Whatever fits into the journal's last page is used up first.
  Result<Injection> refused = fail(Blame::system, "");
  for (int attempt = 0; attempt < 40; ++attempt) {
    refused = machine.injector().inject("process.pause", request("process.pause", victim(two), {}));
    if (!refused) break;
    REQUIRE(machine.injector().revert("", refused->id).size() == 1);
  }
  REQUIRE_FALSE(refused.has_value());
  CHECK_MESSAGE(refused.error().message.find("No space left") != std::string::npos, refused.error().message);
  CHECK(eventually([&] { return process_state(two.pid()) == 'S'; }));
  CHECK(machine.injector().live() == 1);
  const auto ended = machine.injector().revert("", "");
  REQUIRE(ended.size() == 1);
  CHECK(ended[0].step == Step::reverted);
  CHECK(eventually([&] { return process_state(one.pid()) == 'S'; }));
}

TEST_CASE("many threads inject, look and revert at once") {
  const Directory directory;
  Machine machine(directory.path());
  std::vector<Child> children;
  children.reserve(6);
  for (int i = 0; i < 6; ++i) children.push_back(sleeper());
  std::atomic<bool> done = false;
  std::jthread watching([&] {
    while (!done) {
      machine.injector().tend(boot_now());
      machine.injector().status();
    }
  });
  {
    std::vector<std::jthread> threads;
    threads.reserve(children.size());
    for (const auto& child : children)
      threads.emplace_back([&machine, pid = child.pid()] {
        const auto found = resolve(machine.host(), {"process", {{"pid", std::to_string(pid)}}});
        for (int round = 0; round < 5; ++round) {
          const Request asked{
              .id = new_id(), .experiment = "test", .victim = found->at(0), .params = {{"mechanism", "auto"}}, .duration = 60s};
          if (machine.injector().inject("process.pause", asked)) machine.injector().revert("", asked.id);
        }
      });
  }
  done = true;
  watching.join();
  CHECK(machine.injector().live() == 0);
  for (const auto& child : children) CHECK(process_state(child.pid()) != 'T');
  CHECK(machine.injector().status().size() == 30);
}
