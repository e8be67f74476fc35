// network.reset, seen by both ends of connections (bash, nc) and by ss.
#include "tests/support/child.hpp"
#include "tests/support/machine.hpp"
#include "tests/support/network.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <csignal>

using namespace arashi;
using namespace arashi::test;
using arashi::testing::eventually;
using namespace std::chrono_literals;

namespace {

// A server in the peer's namespace and one in the target's, each for any number of connections, which say nothing.
struct Servers {
  const Wire& wire;
  explicit Servers(const Wire& both) : wire(both) {
    for (const auto& line : {wire.in_there("timeout 60 nc -lk"), wire.in_here("timeout 60 nc -lk")})
      for (const char* port : {"7001", "7002", "-6 7003"})
        REQUIRE(shell("sh -c '" + line + " " + port + " </dev/null >/dev/null 2>&1 &'").exit == 0);
    REQUIRE(eventually([&] {
      return wire.here("ss -Hltn").text.find(":7002") != std::string::npos &&
             wire.there("ss -Hltn").text.find(":7003") != std::string::npos;
    }));
  }
};

int count(const std::string& text, const std::string& part) {
  int found = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

int open_connections(const Wire& wire, int port) {
  return count(
      wire.here("ss -Htn state established '( dport = :" + std::to_string(port) + " or sport = :" + std::to_string(port) + " )'").text,
      "\n");
}

bool connects(const Wire& wire, const char* address, int port) {
  return wire.here("nc -z -w 1 " + std::string(address) + " " + std::to_string(port)).exit == 0;
}

// A client in the background, its words in a file.
struct Background {
  arashi::testing::Directory directory;
  std::string file = (directory.path() / "said").string();
  explicit Background(const std::string& command) { REQUIRE(shell("sh -c \"" + command + " >" + file + " 2>&1 &\"").exit == 0); }
  [[nodiscard]] std::string said() const { return shell("cat " + file).text; }
};

void check_share(int hit, int of, double expected) {
  const double allowed = 5 * std::sqrt(expected * (1 - expected) / of);
  INFO(hit, " of ", of, ", expected ", expected, " ± ", allowed);
  CHECK(std::abs(static_cast<double>(hit) / of - expected) < allowed);
}

}  // namespace

TEST_CASE("open connections of the target are reset, others are not, and the peer sees a reset") {
  const Wire wire;
  const Servers servers(wire);
  const Host host;
  const Background incoming(wire.in_there("timeout 20 bash -c 'exec 3<>/dev/tcp/10.77.0.1/7001; echo open; read -u 3 line'"));
  const Background outgoing(wire.in_here("timeout 20 bash -c 'exec 3<>/dev/tcp/10.77.0.2/7001; echo open; read -u 3 line'"));
  const Background other(wire.in_here("timeout 20 bash -c 'exec 3<>/dev/tcp/10.77.0.2/7002; echo open; read -t 2 -u 3 line; echo still'"));
  REQUIRE(eventually([&] { return open_connections(wire, 7001) == 2 && open_connections(wire, 7002) == 1; }));
  const Injected fault(host, "network.reset", wire.victim(),
                       Json{{"peers", {"10.77.0.2"}}, {"ports", {"7001", "1024-6999", "8000-65535"}}});
  CHECK(fault.applied.affected == 2);
  CHECK(open_connections(wire, 7001) == 0);
  CHECK(eventually([&] { return incoming.said().find("Connection reset by peer") != std::string::npos; }));
  CHECK(eventually([&] { return outgoing.said().find("Software caused connection abort") != std::string::npos; }));
  CHECK(open_connections(wire, 7002) == 1);
  CHECK(connects(wire, "10.77.0.2", 7001));
  CHECK(eventually([&] { return other.said().find("still") != std::string::npos; }));
  CHECK(fault.prepared.undo.find("not opened again") != std::string::npos);
}

TEST_CASE("a share of the open connections is reset, the same ones for the same seed, IPv6 as well") {
  const Wire wire;
  const Servers servers(wire);
  const Host host;
  const auto open = wire.in_here("timeout 30 bash -c 'for i in {1..3}; do exec {fd}<>/dev/tcp/fd77::2/7003; done; echo open; sleep 20'");
  const Background client(open);
  REQUIRE(eventually([&] { return open_connections(wire, 7003) == 3; }));
  const Injected fault(host, "network.reset", wire.victim(),
                       Json{{"existing", "33%"}, {"peers", {"fd77::/64"}}, {"ports", {"7003"}}, {"seed", 3}});
  CHECK(fault.applied.seen == 3);
  CHECK(fault.applied.affected == 1);
  CHECK(open_connections(wire, 7003) == 2);
  CHECK(fault.applied.values.at(0).achieved == doctest::Approx(1.0 / 3));
}

TEST_CASE("direction tells connections that the target opened from those opened to it") {
  const Wire wire;
  const Servers servers(wire);
  const Host host;
  const Background incoming(wire.in_there("timeout 20 bash -c 'exec 3<>/dev/tcp/10.77.0.1/7001; sleep 10'"));
  const Background outgoing(wire.in_here("timeout 20 bash -c 'exec 3<>/dev/tcp/10.77.0.2/7002; sleep 10'"));
  REQUIRE(eventually([&] { return open_connections(wire, 7001) == 1 && open_connections(wire, 7002) == 1; }));
  const Injected first(host, "network.reset", wire.victim(), Json{{"direction", "ingress"}});
  CHECK(open_connections(wire, 7001) == 0);
  CHECK(open_connections(wire, 7002) == 1);
  const Injected second(host, "network.reset", wire.victim(), Json{{"direction", "egress"}});
  CHECK(open_connections(wire, 7002) == 0);
}

TEST_CASE("new connections are refused by share, in both directions, and the rules go with the fault") {
  const Wire wire;
  const Servers servers(wire);
  const arashi::testing::Directory directory;
  const arashi::testing::Machine machine(directory.path());
  const Injected fault(machine.host(), "network.reset", wire.victim(),
                       Json{{"existing", "0%"}, {"new", "50%"}, {"peers", {"10.77.0.2", "fd77::2"}}, {"seed", 5}});
  CHECK_FALSE(fault.applied.bit);
  const auto tries = [&](const std::string& where, const char* address) {
    return shell(where + "bash -c 'for i in $(seq 100); do exec 3<>/dev/tcp/" + address + " && echo yes; done' 2>&1").text;
  };
  for (const char* address : {"10.77.0.2/7001", "fd77::2/7003"}) {
    const auto said = tries(wire.in_here(""), address);
    check_share(count(said, "connect: Connection refused"), 100, 0.5);
    CHECK(count(said, "connect: Connection refused") + count(said, "yes") == 100);
  }
  check_share(count(tries(wire.in_there(""), "10.77.0.1/7001"), "connect: Connection refused"), 100, 0.5);
  CHECK(connects(wire, "10.77.0.3", 7001));
  CHECK(connects(wire, "10.77.0.3", 7001));
  REQUIRE(eventually([&] { return fault.observe().seen >= 300; }));
  const auto evidence = fault.observe();
  CHECK(evidence.values.at(0).achieved.value_or(0) == doctest::Approx(0.5).epsilon(0.25));
  fault.revert();
  CHECK(wire.here("nft list ruleset").text.empty());
  CHECK(count(tries(wire.in_here(""), "10.77.0.2/7001"), "yes") == 100);
}

TEST_CASE("resets come again and again, and a worker that is killed leaves nothing") {
  const Wire wire;
  const Servers servers(wire);
  const arashi::testing::Directory directory;
  const arashi::testing::Machine machine(directory.path());
  const Injected fault(machine.host(), "network.reset", wire.victim(), Json{{"every", "200ms"}, {"new", "100%"}, {"ports", {"7002"}}});
  const Background client(wire.in_here("timeout 5 bash -c 'for i in 1 2 3; do exec 3<>/dev/tcp/10.77.0.2/7001; read -u 3 line; done'"));
  CHECK_FALSE(connects(wire, "10.77.0.2", 7002));
  CHECK(connects(wire, "10.77.0.2", 7001));
  CHECK(eventually([&] { return fault.observe().detail.find(" in 1 ") == std::string::npos; }));
  const auto pid = machine.host().workers->state(fault.prepared.change["id"].get<std::string>()).pid;
  REQUIRE(::kill(pid, SIGKILL) == 0);
  CHECK(eventually([&] { return connects(wire, "10.77.0.2", 7002); }));
  CHECK(wire.here("nft list ruleset").text.empty());
}

TEST_CASE("the control path is never reset") {
  const Wire wire;
  const Servers servers(wire);
  const arashi::testing::Directory directory;
  const arashi::testing::Machine machine(directory.path());
  Host host = machine.host();
  host.control.agent_port = 7001;
  const Background client(wire.in_here("timeout 20 bash -c 'exec 3<>/dev/tcp/10.77.0.2/7001; sleep 10'"));
  REQUIRE(eventually([&] { return open_connections(wire, 7001) == 1; }));
  const Injected fault(host, "network.reset", wire.victim(), Json{{"new", "100%"}});
  CHECK(open_connections(wire, 7001) == 1);
  CHECK(connects(wire, "10.77.0.3", 7001));
  CHECK_FALSE(connects(wire, "10.77.0.3", 7002));
}
