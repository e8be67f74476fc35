// network.reset and dns.answer of one cgroup or process in a namespace that others share, and peers by host name or group.
#include "tests/support/cgroups.hpp"
#include "tests/support/machine.hpp"
#include "tests/support/namespaces.hpp"
#include "tests/support/network.hpp"

#include <doctest/doctest.h>

#include <fstream>

using namespace arashi;
using arashi::test::canonical;
using arashi::test::Injected;
using arashi::test::unique_id;
using arashi::testing::Cgroup;
using arashi::testing::Directory;
using arashi::testing::eventually;
using arashi::testing::Machine;
using arashi::testing::Pair;
using arashi::testing::the_victim;
using namespace std::chrono_literals;

namespace {

// Opens a connection and waits for its end; says which.
constexpr const char* client = R"(
import errno, socket, sys
try:
    s = socket.create_connection((sys.argv[1], int(sys.argv[2])), 2)
    s.settimeout(None)
    print("open", flush=True)
    print("closed" if not s.recv(1) else "data", flush=True)
except OSError as e: print(errno.errorcode.get(e.errno, "silent"), flush=True)
)";

// Listens and keeps whatever connects.
constexpr const char* server = R"(
import socket, sys
s = socket.create_server(("::", int(sys.argv[1])), family=socket.AF_INET6, dualstack_ipv6=True)
kept = []
print("ready", flush=True)
while True: kept.append(s.accept())
)";

// Two cgroups in one namespace, each with a server of its own; the peer has one too.
struct Site {
  Pair pair;
  Directory directory;
  Machine machine{directory.path()};
  Cgroup hit{"v2", "arashihit"}, spared{"v2", "arashispared"};
  Cgroup below{hit, "below"};
  Child one = serve(below, "7001"), other = serve(spared, "7002");
  Child peer = pair.right.spawn({"python3", "-c", server, "7003"});
  Site() { REQUIRE(arashi::testing::read_line(peer, 20s) == "ready"); }
  [[nodiscard]] Child in(const Cgroup& cgroup, std::vector<std::string> argv) const {
    return arashi::testing::spawn({.argv = std::move(argv), .cgroups = {cgroup.path()}, .netns = pair.left.path()});
  }
  [[nodiscard]] Child serve(const Cgroup& cgroup, const std::string& port) const {
    auto child = in(cgroup, {"python3", "-c", server, port});
    REQUIRE(arashi::testing::read_line(child, 20s) == "ready");
    return child;
  }
  [[nodiscard]] Child connect(const Cgroup& cgroup, const std::string& address = Pair::right_v4) const {
    return in(cgroup, {"python3", "-c", client, address, "7003"});
  }
  [[nodiscard]] Child come_in(const std::string& port, const std::string& address = Pair::left_v4) const {
    return pair.right.spawn({"python3", "-c", client, address, port});
  }
  [[nodiscard]] Victim victim() const { return the_victim(machine.host(), {"cgroup", {{"path", hit.below_root()}}}); }
};

std::string says(Child& child) { return arashi::testing::read_line(child, 10s).value_or("nothing"); }
bool is_open(Child& child) { return !arashi::testing::read_line(child, 300ms).has_value(); }

}  // namespace

TEST_CASE("open connections of one cgroup and below are reset, whoever opened them, and those of its neighbours go on") {
  const Site site;
  for (const auto& [left, right] : {std::pair{Pair::left_v4, Pair::right_v4}, {Pair::left_v6, Pair::right_v6}}) {
    auto mine = site.connect(site.hit, right);
    auto deep = site.connect(site.below, right);
    auto theirs = site.connect(site.spared, right);
    auto to_mine = site.come_in("7001", left);
    auto to_theirs = site.come_in("7002", left);
    for (auto* each : {&mine, &deep, &theirs, &to_mine, &to_theirs}) REQUIRE(says(*each) == "open");
    const Injected fault(site.machine.host(), "network.reset", site.victim(), Json::object());
    CHECK(fault.applied.affected == 3);
    CHECK(fault.prepared.because.find("only sockets of cgroup") != std::string::npos);
    CHECK(says(mine) == "ECONNABORTED");
    CHECK(says(deep) == "ECONNABORTED");
    CHECK(says(to_mine) == "ECONNRESET");
    CHECK(is_open(theirs));
    CHECK(is_open(to_theirs));
  }
}

TEST_CASE("new connections of one cgroup are refused, those that it opens and those that come to it, and its neighbours' are not") {
  const Site site;
  {
    const Injected fault(site.machine.host(), "network.reset", site.victim(), Json{{"existing", "0%"}, {"new", "100%"}});
    for (const auto& [left, right] : {std::pair{Pair::left_v4, Pair::right_v4}, {Pair::left_v6, Pair::right_v6}}) {
      auto mine = site.connect(site.hit, right);
      auto theirs = site.connect(site.spared, right);
      auto to_mine = site.come_in("7001", left);
      auto to_theirs = site.come_in("7002", left);
      CHECK(says(mine) == "ECONNREFUSED");
      CHECK(says(theirs) == "open");
      CHECK(says(to_mine) == "ECONNREFUSED");
      CHECK(says(to_theirs) == "open");
    }
    CHECK(eventually([&] { return fault.observe().affected == 4; }));
  }
  auto mine = site.connect(site.hit);
  CHECK(says(mine) == "open");
}

TEST_CASE("a process that shares its namespace: its connections are reset again and again, by its cgroup") {
  const Site site;
  const auto victim = the_victim(site.machine.host(), {"process", {{"pid", std::to_string(site.one.pid())}}});
  auto to_mine = site.come_in("7001");
  auto to_theirs = site.come_in("7002");
  REQUIRE(says(to_mine) == "open");
  REQUIRE(says(to_theirs) == "open");
  const Injected fault(site.machine.host(), "network.reset", victim, Json{{"every", "200ms"}});
  CHECK(says(to_mine) == "ECONNRESET");
  auto again = site.come_in("7001");
  CHECK(says(again) == "open");
  CHECK(says(again) == "ECONNRESET");
  CHECK(is_open(to_theirs));
}

TEST_CASE("a partition with established: reset of one cgroup resets its own connections alone, and cuts it off") {
  const Site site;
  auto mine = site.connect(site.hit);
  auto theirs = site.connect(site.spared);
  REQUIRE(says(mine) == "open");
  REQUIRE(says(theirs) == "open");
  const Injected fault(site.machine.host(), "network.partition", site.victim(),
                       Json{{"peers", {Pair::right_v4}}, {"established", "reset"}});
  CHECK(says(mine) == "ECONNABORTED");
  CHECK(is_open(theirs));
  auto again = site.connect(site.hit);
  CHECK(says(again) == "silent");
  auto others_again = site.connect(site.spared);
  CHECK(says(others_again) == "open");
}

TEST_CASE("peers of a reset may be host names, as they are now, but what lasts refuses them, as dns.answer does") {
  const Site site;
  const auto overlay = std::filesystem::path("/etc/netns") / site.pair.left.name();
  std::filesystem::create_directories(overlay);
  { std::ofstream(overlay / "hosts") << Pair::right_v4 << " database.test\n"; }
  const Victim victim{.kind = "netns",
                      .scope = Scope::netns,
                      .label = "netns " + site.pair.left.name(),
                      .netns = site.pair.left.inode(),
                      .netns_path = site.pair.left.path().string()};
  auto named = site.connect(site.spared);
  auto other = site.connect(site.spared, Pair::right_v6);
  REQUIRE(says(named) == "open");
  REQUIRE(says(other) == "open");
  const Injected fault(site.machine.host(), "network.reset", victim, Json{{"peers", {"database.test"}}});
  CHECK(says(named) == "ECONNABORTED");
  CHECK(is_open(other));
  const auto refusal = [&](const char* name, const Json& given) {
    const auto& what = *find_fault(name);
    const auto prepared = what.prepare(
        site.machine.host(), {.id = unique_id(), .experiment = "test", .victim = victim, .params = canonical(what, given), .duration = {}});
    REQUIRE_FALSE(prepared.has_value());
    return prepared.error().message;
  };
  for (const Json& lasting : {Json{{"every", "1s"}}, Json{{"new", "50%"}}}) {
    Json given = lasting;
    given["peers"] = {"database.test"};
    CHECK(refusal("network.reset", given).find("does not follow names") != std::string::npos);
  }
  CHECK(refusal("dns.answer", {{"answer", "nxdomain"}, {"peers", {"database.test"}}}).find("is a host name") != std::string::npos);
  std::filesystem::remove_all(overlay);
}
