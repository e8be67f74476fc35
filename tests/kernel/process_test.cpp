// Real processes, seen through /proc and their own output.
#include "tests/support/cgroups.hpp"
#include "tests/support/machine.hpp"

#include <doctest/doctest.h>

#include <csignal>
#include <fstream>

using namespace arashi;
using namespace arashi::testing;
using namespace std::chrono_literals;

namespace {

Selector by_pid(const Child& child) { return {"process", {{"pid", std::to_string(child.pid())}}}; }

Injection must(Result<Injection> injected) {
  if (!injected) FAIL(injected.error().message);
  return std::move(injected).value();
}

// A program under a name of its own, started again whenever it ends, as systemd would.
struct Supervised {
  Directory directory;
  std::string name = unique_name("ar");
  Child loop;
  Supervised() : loop(start()) {}
  Child start() {
    std::filesystem::copy_file("/bin/sleep", directory.path() / name);
    const auto program = (directory.path() / name).string();
    return spawn({.argv = {"bash", "-c", "while true; do " + program + " 600; echo again; done"}});
  }
};

}  // namespace

TEST_CASE("a killed process is gone, and the evidence says how many") {
  const Directory directory;
  Machine machine(directory.path());
  auto child = sleeper();
  const auto victim = the_victim(machine.host(), by_pid(child));
  const auto injection = must(machine.injector().inject("process.kill", request("process.kill", victim, {})));
  CHECK(child.wait(boot_now() + 10s) == 128 + SIGKILL);
  CHECK(injection.evidence.in_place);
  CHECK(injection.evidence.bit);
  CHECK(injection.evidence.values.at(0).achieved == 1.0);
}

TEST_CASE("another signal reaches the process and does not end it") {
  const Directory directory;
  Machine machine(directory.path());
  auto child = spawn({.argv = {"bash", "-c", "trap 'echo got it' USR1; echo ready; while true; do sleep 0.05; done"}});
  REQUIRE(read_line(child) == "ready");
  const auto victim = the_victim(machine.host(), by_pid(child));
  const auto injection = must(machine.injector().inject("process.kill", request("process.kill", victim, {{"signal", "USR1"}})));
  CHECK(read_line(child) == "got it");
  CHECK(injection.evidence.bit);
  CHECK(injection.evidence.values.at(0).what == "signals");
}

TEST_CASE("a repeated kill finds what has taken the victim's place until it is taken back") {
  const Directory directory;
  Machine machine(directory.path());
  Supervised supervised;
  const Selector selector{"process", {{"name", supervised.name}}};
  REQUIRE(eventually([&] { return resolve(machine.host(), selector)->size() == 1; }));
  const auto victim = the_victim(machine.host(), selector);
  const auto injection = must(machine.injector().inject("process.kill", request("process.kill", victim, {{"every", "150ms"}})));
  for (int kill = 0; kill < 3; ++kill) CHECK(read_line(supervised.loop) == "again");
  CHECK(eventually([&] { return machine.injector().status().at(0).evidence.affected >= 3; }));

  const auto ended = machine.injector().revert("test", "");
  REQUIRE(ended.size() == 1);
  CHECK(ended[0].step == Step::reverted);
  REQUIRE(eventually([&] { return resolve(machine.host(), selector)->size() == 1; }));
  const auto survivor = the_victim(machine.host(), selector);
  while (read_line(supervised.loop, 50ms)) {
  }
  CHECK_FALSE(read_line(supervised.loop, 500ms).has_value());
  CHECK(the_victim(machine.host(), selector).pid == survivor.pid);
}

TEST_CASE("a repeated kill of one replica leaves its neighbours alone") {
  const Directory directory;
  Machine machine(directory.path());
  Supervised supervised;
  const auto program = (supervised.directory.path() / supervised.name).string();
  auto neighbour = spawn({.argv = {program, "600"}});
  REQUIRE(eventually([&] { return resolve(machine.host(), {"process", {{"name", supervised.name}}})->size() == 2; }));
  const auto all = resolve(machine.host(), {"process", {{"name", supervised.name}}});
  const auto victim = all->at(0).pid == neighbour.pid() ? all->at(1) : all->at(0);
  must(machine.injector().inject("process.kill", request("process.kill", victim, {{"every", "100ms"}})));
  for (int kill = 0; kill < 4; ++kill) CHECK(read_line(supervised.loop) == "again");
  CHECK(eventually([&] { return process_state(neighbour.pid()) == 'S'; }));
}

TEST_CASE("a whole cgroup is killed, with the cgroups below it") {
  const Directory directory;
  Machine machine(directory.path());
  const Cgroup cgroup;
  const Cgroup below(cgroup, "below");
  auto one = sleeper({}, {cgroup.path()});
  auto two = sleeper({}, {below.path()});
  const auto victim = the_victim(machine.host(), {"cgroup", {{"path", cgroup.below_root()}}});
  const auto injection = must(machine.injector().inject("process.kill", request("process.kill", victim, {})));
  CHECK(one.wait(boot_now() + 10s) == 128 + SIGKILL);
  CHECK(two.wait(boot_now() + 10s) == 128 + SIGKILL);
  CHECK(injection.evidence.affected == 2);
}

TEST_CASE("a paused process stands still and goes on where it was") {
  const Directory directory;
  Machine machine(directory.path());
  const Cgroup v2("v2");
  const Cgroup v1("freezer");
  const struct {
    std::string mechanism, kind;
    std::filesystem::path cgroup;
    std::string used;
  } ways[]{{"auto", "process", {}, "sigstop"},
           {"auto", "cgroup", v2.path(), "freezer v2"},
           {"auto", "cgroup", v1.path(), "freezer v1"},
           {"freezer", "process", v2.path(), "freezer v2"},
           {"sigstop", "cgroup", v2.path(), "sigstop"}};
  for (const auto& way : ways) {
    CAPTURE(way.used);
    CAPTURE(way.kind);
    std::vector<std::filesystem::path> cgroups;
    if (!way.cgroup.empty()) cgroups.push_back(way.cgroup);
    // perl: a shell would fork for each pause, and a second process in the cgroup changes what the freezer may hold.
    auto child =
        spawn({.argv = {"perl", "-e", R"($| = 1; while (1) { print "tick\n"; select(undef, undef, undef, 0.02) })"}, .cgroups = cgroups});
    REQUIRE(read_line(child) == "tick");
    const auto path = way.cgroup == v1.path() ? v1.below_root() : v2.below_root();
    const auto selector = way.kind == "cgroup" ? Selector{"cgroup", {{"path", path}}} : by_pid(child);
    const auto injection = must(machine.injector().inject(
        "process.pause", request("process.pause", the_victim(machine.host(), selector), {{"mechanism", way.mechanism}})));
    CHECK(injection.mechanism == way.used);
    CHECK(injection.evidence.bit);
    while (read_line(child, 50ms)) {
    }
    CHECK_FALSE(read_line(child, 200ms).has_value());
    REQUIRE(machine.injector().revert("", injection.id).at(0).step == Step::reverted);
    CHECK(read_line(child, 10s) == "tick");
  }
}

TEST_CASE("what somebody else has paused is refused, and not woken") {
  const Directory directory;
  Machine machine(directory.path());
  const Cgroup cgroup;
  const auto child = sleeper({}, {cgroup.path()});
  child.signal(SIGSTOP);
  REQUIRE(eventually([&] { return process_state(child.pid()) == 'T'; }));
  const auto stopped = machine.injector().inject("process.pause", request("process.pause", the_victim(machine.host(), by_pid(child)), {}));
  REQUIRE_FALSE(stopped.has_value());
  CHECK(stopped.error().blame == Blame::refused);
  CHECK(process_state(child.pid()) == 'T');
  child.signal(SIGCONT);
  REQUIRE(freeze(cgroup.path(), 2s));
  const auto victim = the_victim(machine.host(), {"cgroup", {{"path", cgroup.below_root()}}});
  const auto frozen = machine.injector().inject("process.pause", request("process.pause", victim, {}));
  REQUIRE_FALSE(frozen.has_value());
  CHECK(frozen.error().message.find("frozen already") != std::string::npos);
  CHECK(freezer_state(cgroup.path())->asked);
}

TEST_CASE("a pause that somebody else ends is reported as lost") {
  const Directory directory;
  Machine machine(directory.path());
  const auto child = sleeper();
  const auto injection =
      must(machine.injector().inject("process.pause", request("process.pause", the_victim(machine.host(), by_pid(child)), {})));
  REQUIRE(process_state(child.pid()) == 'T');
  child.signal(SIGCONT);
  CHECK(eventually([&] { return machine.injector().status().at(0).step == Step::lost; }));
  CHECK(machine.injector().revert("", injection.id).at(0).step == Step::reverted);
  CHECK(eventually([&] { return process_state(child.pid()) == 'S'; }));
}

TEST_CASE("a process is found by the port it listens on, over IPv4 and IPv6 and in another network namespace") {
  const Namespace netns;
  const Host host;
  const auto listen = [&](const char* address, const char* port) {
    auto child = netns.spawn({"python3", "-c",
                              "import socket,sys,time\ns=socket.socket(socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET)\n"
                              "s.bind((sys.argv[1],int(sys.argv[2])));s.listen();print('up',flush=True);time.sleep(600)",
                              address, port});
    REQUIRE(read_line(child) == "up");
    return child;
  };
  const auto v4 = listen("127.0.0.1", "8401");
  const auto v6 = listen("::1", "8402");
  const auto pid_of = [&](const char* port) { return the_victim(host, {"process", {{"port", port}, {"netns", netns.name()}}}); };
  CHECK(pid_of("8401").pid == v4.pid());
  CHECK(pid_of("8402").pid == v6.pid());
  CHECK(pid_of("8401").netns == netns.inode());
  CHECK(resolve(host, {"process", {{"port", "8403"}, {"netns", netns.name()}}})->empty());
  CHECK(resolve(host, {"process", {{"port", "8401"}, {"netns", netns.name()}, {"name", "nginx"}}})->empty());
}
