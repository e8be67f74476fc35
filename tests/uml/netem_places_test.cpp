// Where netem is put: loopback, one cgroup of a namespace that others share, and the node's own device. In the guest, whose own namespace
// is nobody else's, so that it can be a node.
#include "injector/core/json.hpp"
#include "injector/target.hpp"
#include "tests/support/cgroups.hpp"
#include "tests/support/child.hpp"
#include "tests/support/machine.hpp"
#include "tests/support/network.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace arashi;
using namespace arashi::test;
using arashi::testing::Cgroup;
using arashi::testing::the_victim;

namespace {

std::string state(const Wire& wire) {
  return wire
      .here(
          "sh -c 'tc qdisc show; for d in lo eth0; do tc filter show dev $d egress 2>/dev/null; tc filter show dev $d ingress 2>/dev/null; "
          "done; ip -o link; cat /proc/sys/net/ipv4/conf/lo/route_localnet /proc/sys/net/ipv4/conf/lo/accept_local'")
      .text;
}

// A ping on loopback passes twice, each time once through the fault.
void check_loopback(const Json& where, const std::string& address) {
  const Wire wire;
  const Host host;
  const auto before = state(wire);
  Json given{{"delay", "30ms"}, {"backend", "netem"}};
  given.update(where);
  const Injected fault(host, "network.impair", wire.victim(), given);
  CHECK(fault.prepared.mechanism == "netem");
  const auto pings = ping(wire, "-i 0.02 -c 20 -W 2 " + address);
  CHECK(pings.received == 20);
  CHECK(pings.least > 59.5);
  CHECK(pings.least < 75);
  CHECK(ping(wire, "-i 0.02 -c 10 10.77.0.2").least < 20);  // the other device
  CHECK(fault.observe().affected == 40);
  fault.revert();
  CHECK(ping(wire, "-i 0.02 -c 10 " + address).least < 20);
  CHECK(state(wire) == before);
}

// A namespace with two cgroups that have a process each.
struct Shared {
  Wire wire;
  Cgroup hit{"v2", "arashihit"}, spared{"v2", "arashispared"};
  Child one = arashi::testing::sleeper(wire.victim().netns_path, {hit.path()});
  Child other = arashi::testing::sleeper(wire.victim().netns_path, {spared.path()});
  Host host;

  [[nodiscard]] std::string in(const Cgroup& cgroup, const std::string& command) const {
    return "sh -c 'echo $$ > " + cgroup.path().string() + "/cgroup.procs; exec " + wire.in_here(command) + "'";
  }
  [[nodiscard]] double ping_time(const Cgroup& cgroup, const std::string& address) const {
    const auto said = shell(in(cgroup, "ping -q -i 0.02 -c 20 -W 2 " + address));
    double least = 0;
    const auto times = said.text.find("mdev = ");
    REQUIRE_MESSAGE(times != std::string::npos, said.text);
    REQUIRE(sscanf(said.text.c_str() + times, "mdev = %lf/", &least) == 1);
    return least;
  }
  // Of a connection's first packet and the answer to it, in ms. To start a process takes longer than that here: it is perl that measures.
  [[nodiscard]] double connect_time(const char* port) const {
    const auto said = wire.there(R"(perl -MSocket -MTime::HiRes=time -e 'socket(S, PF_INET, SOCK_STREAM, 0); my $at = time; )"
                                 R"(connect(S, sockaddr_in($ARGV[0], inet_aton("10.77.0.1"))) or die; print 1000 * (time - $at)' )" +
                                 std::string(port));
    double took = 0;
    REQUIRE_MESSAGE(sscanf(said.text.c_str(), "%lf", &took) == 1, said.text);
    return took;
  }
};

// The guest's own namespace as a node with two devices, by one of which everyone else is reached.
struct Node {
  Node() {
    const auto made = shell(
        "ip netns add arashi-out && ip netns add arashi-lan && ip link add up0 type veth peer name eth0 netns arashi-out && ip link add "
        "lan0 "
        "type veth peer name eth0 netns arashi-lan && ip addr add 10.66.0.1/24 dev up0 && ip addr add 10.67.0.1/24 dev lan0 && ip link set "
        "up0 up && ip link set lan0 up && ip -n arashi-out addr add 10.66.0.2/24 dev eth0 && ip -n arashi-out addr add 192.0.2.7/32 dev "
        "eth0 "
        "&& ip -n arashi-lan addr add 10.67.0.2/24 dev eth0 && ip -n arashi-out link set eth0 up && ip -n arashi-lan link set eth0 up && "
        "ip route add default via 10.66.0.2");
    REQUIRE_MESSAGE(made.exit == 0, made.text);
  }
  ~Node() { shell("ip link del up0; ip link del lan0; ip netns del arashi-out; ip netns del arashi-lan"); }
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;
  [[nodiscard]] static double ping_time(const std::string& address) {
    const auto said = shell("ping -q -i 0.02 -c 10 -W 2 " + address);
    double least = 0;
    const auto times = said.text.find("mdev = ");
    REQUIRE_MESSAGE(times != std::string::npos, said.text);
    REQUIRE(sscanf(said.text.c_str() + times, "mdev = %lf/", &least) == 1);
    return least;
  }
};

}  // namespace

TEST_CASE("netem on loopback, both ways: request and answer are each delayed once, IPv4") {
  check_loopback({{"device", "lo"}, {"direction", "both"}}, "127.0.0.1");
}
TEST_CASE("netem on loopback, both ways: request and answer are each delayed once, IPv6") {
  check_loopback({{"device", "lo"}, {"direction", "both"}}, "::1");
}
TEST_CASE("netem on loopback as the sender sees it, by peers of loopback") { check_loopback({{"peers", {"127.0.0.1"}}}, "127.0.0.1"); }
TEST_CASE("netem on loopback as the receiver sees it") { check_loopback({{"device", "lo"}, {"direction", "ingress"}}, "127.0.0.1"); }
TEST_CASE("netem on loopback between the target's own addresses") {
  check_loopback({{"device", "lo"}, {"direction", "both"}}, "10.77.0.1");
}

TEST_CASE("netem of one cgroup of a shared namespace: what it sends and what it gets is delayed, its sibling's is not") {
  const Shared site;
  for (const auto& [cgroup, port] : {std::pair{&site.hit, "7001"}, std::pair{&site.spared, "7002"}})
    REQUIRE(shell(site.in(*cgroup, "timeout 60 nc -lk " + std::string(port)) + " </dev/null >/dev/null 2>&1 &").exit == 0);
  site.wire.await_servers_here({7001, 7002});
  const auto before = state(site.wire);
  const auto victim = the_victim(site.host, {"cgroup", {{"path", site.hit.below_root()}}});
  const Injected fault(site.host, "network.impair", victim, Json{{"delay", "100ms"}, {"direction", "both"}, {"backend", "netem"}});
  CHECK(fault.prepared.because.find(site.hit.below_root()) != std::string::npos);
  for (const auto* peer : {"10.77.0.2", "fd77::2"}) {
    CHECK(site.ping_time(site.hit, peer) > 99.5);  // what goes out: the answers to a ping are nobody's yet
    CHECK(site.ping_time(site.spared, peer) < 50);
  }
  CHECK(site.connect_time("7001") > 199);                                               // what comes in, and the answer
  CHECK(arashi::testing::eventually([&] { return site.connect_time("7002") < 100; }));  // a busy machine takes longer, but not each time
  fault.revert();
  CHECK(site.ping_time(site.hit, "10.77.0.2") < 50);
  CHECK(state(site.wire) == before);
}

TEST_CASE("netem on the node: the device of its default route is hit, the other one is not") {
  const Node node;
  const Host host;
  const auto victim = the_victim(host, {"node", {}});
  const auto before = shell("tc qdisc show; ip -o link").text;
  {
    const Injected fault(host, "network.impair", victim, Json{{"delay", "30ms"}, {"peers", {"192.0.2.7"}}, {"backend", "netem"}});
    CHECK(fault.prepared.undo.find("up0") != std::string::npos);
    CHECK(fault.prepared.undo.find("lan0") == std::string::npos);
    CHECK(Node::ping_time("192.0.2.7") > 29.5);
    CHECK(Node::ping_time("10.66.0.2") < 20);
    CHECK(Node::ping_time("10.67.0.2") < 20);
  }
  {
    const Injected fault(host, "network.impair", victim, Json{{"delay", "30ms"}, {"backend", "netem"}, {"direction", "both"}});
    for (const auto* peer : {"192.0.2.7", "10.67.0.2"}) CHECK(Node::ping_time(peer) > 59.5);  // with everyone, on each device
  }
  CHECK(shell("tc qdisc show; ip -o link").text == before);
}
