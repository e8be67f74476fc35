// network.down, seen by ip, ping and the peer's carrier.
#include "tests/support/child.hpp"
#include "tests/support/machine.hpp"
#include "tests/support/network.hpp"

#include <doctest/doctest.h>

#include <csignal>

using namespace arashi;
using namespace arashi::test;
using arashi::testing::eventually;
using namespace std::chrono_literals;

namespace {

std::string state_of(const Wire& wire) {
  return wire
      .here(
          "sh -c 'ip -o addr show dev eth0 | sort; ip route show table all | sort; ip -6 route show table all | sort; "
          "ip neigh show nud permanent | sort; ip -6 neigh show nud permanent | sort'")
      .text;
}

void must(const Said& said) { REQUIRE_MESSAGE(said.exit == 0, said.text); }

bool eth0_is_up(const Wire& wire) { return wire.here("ip -o link show dev eth0 up").text.find("eth0") != std::string::npos; }
// Duplicate address detection, which the kernel does at first, is over.
void settle(const Wire& wire) {
  REQUIRE(eventually([&] { return wire.here("ip -6 addr show dev eth0 tentative").text.empty(); }));
}
bool answers(const Wire& wire, const char* address) { return wire.here(std::string("ping -q -c 1 -W 1 ") + address).exit == 0; }
int carrier_losses(const Wire& wire) { return std::atoi(wire.there("cat /sys/class/net/eth0/carrier_down_count").text.c_str()); }

Error refusal(const Host& host, const Victim& victim, const Json& given) {
  const auto& fault = *find_fault("network.down");
  const auto prepared =
      fault.prepare(host, {.id = unique_id(), .experiment = "test", .victim = victim, .params = canonical(fault, given), .duration = {}});
  REQUIRE_FALSE(prepared.has_value());
  return prepared.error();
}

void check_says(const Error& error, Blame blame, const std::string& part) {
  INFO(error.message);
  CHECK(error.blame == blame);
  CHECK(error.message.find(part) != std::string::npos);
}

}  // namespace

TEST_CASE("a device goes down and comes back with its addresses, routes and neighbours, IPv4 and IPv6") {
  const Wire wire;
  const Host host;
  for (const char* line :
       {"addr add fd78::1/64 dev eth0 nodad", "addr add fd78::7/128 dev eth0", "addr add fe80::77/64 dev eth0 nodad",
        "route add default via 10.77.0.2", "route add 10.90.0.0/16 via 10.77.0.2 metric 50 mtu 1400",
        "route add 10.91.0.0/16 via 10.90.1.1 dev eth0 onlink table 100",
        "route add 10.92.0.0/16 nexthop via 10.77.0.2 nexthop via 10.77.0.3", "-6 route add default via fd77::2",
        "-6 route add fd90::/64 via fd77::2 src fd78::1 metric 5", "-6 route add fd91::/64 nexthop via fd77::2 nexthop via fd77::3",
        "neigh add 10.77.0.9 lladdr 02:00:00:00:00:09 dev eth0", "-6 neigh add fd77::9 lladdr 02:00:00:00:00:09 dev eth0"})
    must(wire.here(std::string("ip ") + line));
  settle(wire);
  const auto before = state_of(wire);
  REQUIRE(before.find("fd91::/64") != std::string::npos);
  const Injected fault(host, "network.down", wire.victim(), Json{{"device", "eth0"}});
  CHECK(fault.applied.in_place);
  CHECK(fault.applied.bit);
  CHECK_FALSE(eth0_is_up(wire));
  CHECK_FALSE(answers(wire, Wire::there_v4));
  CHECK(state_of(wire).find("fd78::1") == std::string::npos);
  CHECK(fault.observe().in_place);
  fault.revert();
  CHECK(eth0_is_up(wire));
  CHECK(answers(wire, Wire::there_v4));
  CHECK(answers(wire, Wire::there_v6));
  settle(wire);
  CHECK(state_of(wire) == before);
}

TEST_CASE("what someone else did to the device meanwhile stays") {
  const Wire wire;
  const Host host;
  must(wire.here("ip route add default via 10.77.0.2"));
  const Injected fault(host, "network.down", wire.victim(), Json{{"device", "eth0"}});
  must(wire.here("ip link set eth0 up"));
  CHECK_FALSE(fault.observe().in_place);
  CHECK(fault.observe().detail.find("by someone else") != std::string::npos);
  must(wire.here("ip route add default via 10.77.0.3 metric 7"));
  fault.revert();
  const auto routes = wire.here("ip route show default").text;
  CHECK(routes.find("via 10.77.0.3 dev eth0 metric 7") != std::string::npos);
  CHECK(routes.find("via 10.77.0.2 dev eth0") != std::string::npos);
}

TEST_CASE("a flapping device falls again and again, and comes up when its worker is killed at the wrong moment") {
  const Wire wire;
  const arashi::testing::Directory directory;
  const arashi::testing::Machine machine(directory.path());
  must(wire.here("ip -6 route add default via fd77::2"));
  settle(wire);
  const auto before = state_of(wire);
  const int losses = carrier_losses(wire);
  const Injected fault(machine.host(), "network.down", wire.victim(), Json{{"device", "eth0"}, {"every", "400ms"}, {"downFor", "200ms"}});
  CHECK_FALSE(eth0_is_up(wire));
  CHECK(eventually([&] { return carrier_losses(wire) >= losses + 3; }));
  CHECK(eventually([&] { return fault.observe().affected >= 3; }));
  CHECK(fault.observe().values.at(0).achieved.value_or(0) >= 200e6);
  const auto state = machine.host().workers->state(fault.prepared.change["id"].get<std::string>());
  REQUIRE(eventually([&] { return !eth0_is_up(wire); }));
  REQUIRE(::kill(state.pid, SIGKILL) == 0);
  CHECK(eventually([&] { return eth0_is_up(wire); }));
  CHECK(eventually([&] { return state_of(wire) == before; }));
  const auto lost = find_fault("network.down")->observe(machine.host(), fault.prepared.change);
  REQUIRE_FALSE(lost.has_value());
  CHECK(lost.error().blame == Blame::missing);
  fault.revert();
  CHECK(state_of(wire) == before);
}

TEST_CASE("a flapping device is up after the revert, whenever it comes") {
  const Wire wire;
  const arashi::testing::Directory directory;
  const arashi::testing::Machine machine(directory.path());
  settle(wire);
  const auto before = state_of(wire);
  for (int round = 0; round < 5; ++round) {
    const Injected fault(machine.host(), "network.down", wire.victim(), Json{{"device", "eth0"}, {"every", "200ms"}, {"downFor", "100ms"}});
    ::usleep(40'000 * static_cast<unsigned>(round + 1));
    fault.revert();
    CHECK(eth0_is_up(wire));
    CHECK(eventually([&] { return state_of(wire) == before; }));
  }
}

TEST_CASE("a device that cannot go down or come back is refused with the reason") {
  const Wire wire;
  Host host;
  const auto down = [&](const Json& given) { return refusal(host, wire.victim(), given); };
  check_says(down(Json{{"device", "eth7"}}), Blame::missing, "it has lo, eth0");
  check_says(down(Json{{"device", "eth0"}, {"downFor", "1s"}}), Blame::input, "give every too");
  check_says(down(Json{{"device", "eth0"}, {"every", "1s"}, {"downFor", "1s"}}), Blame::input, "never come up");
  must(wire.here("ip link add link eth0 name above type macvlan"));
  check_says(down(Json{{"device", "eth0"}}), Blame::unsupported, "'above' stands on 'eth0'");
  must(wire.here("ip link del above"));
  host.control.runner_addresses = {Wire::here_v4};
  check_says(down(Json{{"device", "eth0"}}), Blame::refused, "the runner's own address 10.77.0.1");
  host.control.runner_addresses.clear();
  must(wire.here("ip link set eth0 down"));
  check_says(down(Json{{"device", "eth0"}}), Blame::missing, "down already");
}

TEST_CASE("this machine's loopback is never taken down") {
  const Host host;
  Victim node;
  node.kind = "node";
  node.scope = Scope::node;
  node.label = "node";
  check_says(refusal(host, node, Json{{"device", "lo"}}), Blame::refused, "the loopback of this machine");
}
