// Targets found in a machine made of files: no rights needed, and processes that no real machine would have at once.
#include "injector/target.hpp"
#include "injector/host/proc.hpp"
#include "tests/support/namespaces.hpp"

#include <doctest/doctest.h>

#include <fstream>

using namespace arashi;
using namespace arashi::testing;
namespace fs = std::filesystem;

namespace {

struct FakeMachine {
  Directory directory;
  Host host;
  FakeMachine() {
    host.proc = directory.path() / "proc";
    host.cgroup = directory.path() / "cgroup";
    host.netns = directory.path() / "netns";
    fs::create_directories(host.netns);
    cgroup("");
    std::ofstream(host.cgroup / "cgroup.controllers") << "cpu memory\n";
  }
  void cgroup(const fs::path& path, const std::string& pids = "") const {
    fs::create_directories(host.cgroup / path);
    std::ofstream(host.cgroup / path / "cgroup.procs") << pids;
  }
  void process(int pid, const std::string& name, const std::string& argv, const std::string& cgroup_path, const fs::path& netns,
               char state = 'S', unsigned flags = 0) const {
    const auto home = host.proc / std::to_string(pid);
    fs::create_directories(home / "ns");
    std::ofstream(home / "stat") << pid << " (" << name << ") " << state << " 1 1 1 0 -1 " << flags << " 0 0 0 0 0 0 0 0 20 0 1 0 "
                                 << 1000 + pid << " 0 0\n";
    std::ofstream(home / "cmdline", std::ios::binary) << argv;
    std::ofstream(home / "cgroup") << "0::" << cgroup_path << "\n";
    fs::create_hard_link(netns, home / "ns/net");
  }
  fs::path namespace_file(const std::string& name) const {
    std::ofstream(host.netns / name) << "";
    return host.netns / name;
  }
  std::vector<int> pids(const Selector& selector) const {
    const auto found = resolve(host, selector);
    if (!found) FAIL(found.error().message);
    std::vector<int> all;
    for (const auto& each : *found) all.push_back(each.pid);
    return all;
  }
  std::vector<std::string> labels(const Selector& selector) const {
    const auto found = resolve(host, selector);
    if (!found) FAIL(found.error().message);
    std::vector<std::string> all;
    for (const auto& each : *found) all.push_back(each.label);
    return all;
  }
};

struct Platform : FakeMachine {
  Platform() {
    const auto one = namespace_file("pay-ledger-1");
    const auto two = namespace_file("pay-ledger-2");
    const auto other = namespace_file("shop");
    cgroup("system.slice/nginx.service", "10\n11\n");
    cgroup("pay/ledger-1", "20\n");
    cgroup("pay/ledger-2", "21\n");
    process(10, "nginx", "nginx: master process /usr/sbin/nginx", "/system.slice/nginx.service", other);
    process(11, "nginx", "nginx: worker process", "/system.slice/nginx.service", other);
    process(20, "a (b) c", std::string("/opt/ledger\0--port\0001", 20), "/pay/ledger-1", one);
    process(21, "ledger", std::string("ledger\0", 7), "/pay/ledger-2", two);
    process(30, "ledger", "", "/", other, 'Z');
    process(31, "ledger", "", "/", other, 'S', 0x00200000);
  }
};

}  // namespace

TEST_CASE("a process is named by its comm or its program, kernel threads and zombies are none") {
  const Platform machine;
  CHECK(machine.pids({"process", {{"name", "ledger"}}}) == std::vector{20, 21});
  CHECK(machine.pids({"process", {{"name", "nginx"}}}) == std::vector{10, 11});
  CHECK(machine.pids({"process", {{"name", "a (b) c"}}}) == std::vector{20});
  CHECK(machine.pids({"process", {{"name", "led"}}}).empty());
  CHECK(machine.pids({"process", {{"pid", "21"}}}) == std::vector{21});
  CHECK(machine.pids({"process", {{"pid", "4242"}}}).empty());
}

TEST_CASE("every key of a process selector narrows it") {
  const Platform machine;
  CHECK(machine.pids({"process", {{"name", "ledger"}, {"netns", "pay-ledger-2"}}}) == std::vector{21});
  CHECK(machine.pids({"process", {{"name", "ledger"}, {"netns", "pay-*"}}}) == std::vector{20, 21});
  CHECK(machine.pids({"process", {{"name", "ledger"}, {"netns", "shop"}}}).empty());
  CHECK(machine.pids({"process", {{"cgroup", "pay/*"}}}) == std::vector{20, 21});
  CHECK(machine.pids({"process", {{"cgroup", "/pay"}}}) == std::vector{20, 21});
  CHECK(machine.pids({"process", {{"cgroup", "system.slice/nginx.service"}, {"pid", "11"}}}) == std::vector{11});
  CHECK(machine.pids({"process", {{"user", std::to_string(::getuid())}, {"name", "nginx"}}}) == std::vector{10, 11});
  CHECK(machine.pids({"process", {{"user", "54321"}}}).empty());
  CHECK(resolve(machine.host, {"process", {{"user", "no-such-user-here"}}}).error().blame == Blame::input);
}

TEST_CASE("the agent's own processes are never found") {
  Platform machine;
  machine.host.protected_pids = {21, 11};
  CHECK(machine.pids({"process", {{"name", "ledger"}}}) == std::vector{20});
  CHECK(machine.labels({"cgroup", {{"path", "pay/*"}}}) == std::vector<std::string>{"cgroup pay/ledger-1"});
  CHECK(machine.labels({"unit", {{"name", "nginx.service"}}}).empty());
}

TEST_CASE("namespaces, cgroups and units are found by globs, in order") {
  const Platform machine;
  CHECK(machine.labels({"netns", {{"name", "pay-ledger-*"}}}) == std::vector<std::string>{"netns pay-ledger-1", "netns pay-ledger-2"});
  CHECK(machine.labels({"netns", {{"name", "pay-ledger-*"}, {"pid", "21"}}}) == std::vector<std::string>{"netns pay-ledger-2"});
  CHECK(machine.labels({"cgroup", {{"path", "pay/ledger-?"}}}) == std::vector<std::string>{"cgroup pay/ledger-1", "cgroup pay/ledger-2"});
  CHECK(machine.labels({"cgroup", {{"path", "*"}}}) == std::vector<std::string>{"cgroup pay", "cgroup system.slice"});
  CHECK(machine.labels({"unit", {{"name", "ngin*"}}}) == std::vector<std::string>{"unit nginx.service"});
  CHECK(machine.labels({"node", {}}) == std::vector<std::string>{"this machine"});
}

TEST_CASE("a victim is an identity: another process or cgroup of the same name is not it") {
  const Platform machine;
  const auto ledger = resolve(machine.host, {"cgroup", {{"path", "pay/ledger-1"}}})->at(0);
  CHECK(ledger.netns_path == (machine.host.proc / "20/ns/net").string());
  CHECK(still_there(machine.host, ledger).has_value());
  fs::rename(machine.host.cgroup / "pay/ledger-1", machine.host.cgroup / "pay/aside");
  CHECK(still_there(machine.host, ledger).error().blame == Blame::missing);
  machine.cgroup("pay/ledger-1");
  const auto error = still_there(machine.host, ledger).error();
  CHECK(error.blame == Blame::missing);
  CHECK(error.message.find("another one") != std::string::npos);
}

TEST_CASE("a successor lives in the victim's namespace and cgroup") {
  const Platform machine;
  const auto victim = resolve(machine.host, {"process", {{"name", "ledger"}, {"netns", "pay-ledger-1"}}})->at(0);
  CHECK(victim.pid == 20);
  auto wide = victim;
  wide.selector = {"process", {{"name", "ledger"}}};
  fs::remove_all(machine.host.proc / "20");
  CHECK(successors(machine.host, wide)->empty());
  machine.process(44, "ledger", "", "/pay/ledger-1", machine.host.netns / "pay-ledger-1");
  REQUIRE(successors(machine.host, wide)->size() == 1);
  CHECK(successors(machine.host, wide)->at(0).pid == 44);
}

TEST_CASE("a wrong selector is an error, a selector without match is not") {
  const Platform machine;
  CHECK(resolve(machine.host, {"proces", {}}).error().blame == Blame::input);
  CHECK(resolve(machine.host, {"process", {}}).error().blame == Blame::input);
  CHECK(resolve(machine.host, {"netns", {{"name", "none-such"}}})->empty());
  CHECK(resolve(machine.host, {"netns", {{"path", "/no/such/file"}}})->empty());
}
