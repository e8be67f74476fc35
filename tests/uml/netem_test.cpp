// The netem backend on a kernel that has netem: seen by ping, nc and tc.
#include "injector/core/json.hpp"
#include "tests/support/network.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <string>

using namespace arashi;
using namespace arashi::test;

namespace {

Json with(Json given) {
  given["backend"] = "netem";
  return given;
}

// One wire for all cases, as making one takes a second in the guest. Each case leaves it as it was, which most of them check.
const Wire& the_wire() {
  static const Wire wire;
  return wire;
}

// All that a netem fault could leave: qdiscs, classes, filters, devices, addresses and routes.
std::string state(const Wire& wire) {
  return wire
      .here(
          "sh -c 'tc qdisc show; tc class show dev eth0; tc filter show dev eth0; tc filter show dev eth0 ingress; "
          "ip addr show; ip -4 route show table all; ip -6 route show table all'")
      .text;
}

void check_delayed(const Pings& pings, double mean) {
  CHECK(pings.received == pings.sent);
  CHECK(pings.least > mean - 5.5);
  CHECK(pings.mean > mean - 1.5);
  CHECK(pings.least < mean + 15);  // the guest has one slow CPU
}

void check_delay(const Json& traffic, const std::string& hit, const std::string& spared) {
  const Wire& wire = the_wire();
  const Host host;
  const auto before = state(wire);
  auto given = traffic;
  given["delay"] = "40ms";
  given["jitter"] = "5ms";
  given["peers"] = Json::array({hit});
  const Injected fault(host, "network.impair", wire.victim(), with(given));
  CHECK(fault.prepared.mechanism == "netem");
  CHECK(fault.applied.in_place);
  const auto pings = ping(wire, "-i 0.02 -c 60 -W 2 " + hit);
  check_delayed(pings, 40);
  CHECK(pings.deviation > 1.2);  // ±5 ms evenly is 2.9
  CHECK(pings.most - pings.least > 4);
  CHECK(ping(wire, "-i 0.02 -c 20 -W 2 " + spared).least < 20);
  const auto evidence = fault.observe();
  CHECK(evidence.bit);
  CHECK(evidence.affected == 60);
  fault.revert();
  CHECK(ping(wire, "-i 0.02 -c 20 -W 2 " + hit).least < 20);
  CHECK(state(wire) == before);
}

// Five standard deviations of a binomial: a right kernel fails once in a million runs.
void check_loss(const Json& traffic, const std::string& hit, const std::string& spared) {
  const Wire& wire = the_wire();
  const Host host;
  auto given = traffic;
  given["loss"] = "20%";
  given["peers"] = Json::array({hit});
  const Injected fault(host, "network.impair", wire.victim(), with(given));
  const auto pings = ping(wire, "-i 0.002 -c 500 -W 1 " + hit);
  const int lost = pings.sent - pings.received;
  INFO(lost, " of ", pings.sent, " lost");
  CHECK(std::abs(lost / 500.0 - 0.2) < 5 * std::sqrt(0.2 * 0.8 / 500));
  CHECK(ping(wire, "-i 0.002 -c 100 -W 1 " + spared).received == 100);
  const auto evidence = fault.observe();
  CHECK(evidence.affected == static_cast<std::uint64_t>(lost));
  CHECK(evidence.seen >= 600);
}

const Json egress{{"direction", "egress"}};
const Json ingress{{"direction", "ingress"}};

}  // namespace

TEST_CASE("netem delays what goes out to a peer, IPv4, and no other peer") { check_delay(egress, Wire::there_v4, Wire::other_v4); }
TEST_CASE("netem delays what goes out to a peer, IPv6, and no other peer") { check_delay(egress, Wire::there_v6, Wire::there_v4); }
TEST_CASE("netem delays what comes in from a peer, IPv4, and no other peer") { check_delay(ingress, Wire::there_v4, Wire::other_v4); }
TEST_CASE("netem delays what comes in from a peer, IPv6, and no other peer") { check_delay(ingress, Wire::there_v6, Wire::there_v4); }

TEST_CASE("netem loses what goes out, IPv4") { check_loss(egress, Wire::there_v4, Wire::other_v4); }
TEST_CASE("netem loses what goes out, IPv6") { check_loss(egress, Wire::there_v6, Wire::there_v4); }
TEST_CASE("netem loses what comes in, IPv4") { check_loss(ingress, Wire::there_v4, Wire::other_v4); }
TEST_CASE("netem loses what comes in, IPv6") { check_loss(ingress, Wire::there_v6, Wire::there_v4); }

TEST_CASE("netem in both directions delays a round trip twice") {
  const Wire& wire = the_wire();
  const Host host;
  const auto before = state(wire);
  const Injected fault(host, "network.impair", wire.victim(), with({{"delay", "30ms"}, {"direction", "both"}}));
  check_delayed(ping(wire, "-i 0.02 -c 30 -W 2 10.77.0.2"), 60);
  fault.revert();
  CHECK(state(wire) == before);
}

TEST_CASE("netem on one port of a peer leaves its other ports and its pings alone") {
  const Wire& wire = the_wire();
  const Host host;
  for (const auto* port : {"7001", "7002"})
    REQUIRE(wire.there("sh -c 'timeout 60 nc -lk " + std::string(port) + " </dev/null >/dev/null 2>&1 &'").exit == 0);
  wire.await_servers_there({7001, 7002});
  const auto connects = [&](const std::string& port) { return wire.here("nc -z -w 1 10.77.0.2 " + port).exit == 0; };
  REQUIRE(connects("7001"));
  const Injected fault(host, "network.impair", wire.victim(), with({{"loss", "100%"}, {"protocol", "tcp"}, {"ports", {"7001"}}}));
  CHECK_FALSE(connects("7001"));
  CHECK(connects("7002"));
  CHECK(ping(wire, "-i 0.02 -c 20 10.77.0.2").received == 20);
  fault.revert();
  CHECK(connects("7001"));
}

TEST_CASE("tc reads back from netem what was asked for") {
  const Wire& wire = the_wire();
  const Host host;
  const Injected fault(host, "network.impair", wire.victim(),
                       with({{"delay", "123457us"}, {"jitter", "11us"}, {"loss", "1.5%"}, {"direction", "both"}}));
  for (const auto* device : {"$(ls /sys/class/net | grep n0$)", "$(ls /sys/class/net | grep n1$)"}) {
    const auto said = wire.here("sh -c 'tc -j qdisc show dev " + std::string(device) + "'");
    const auto shown = parse_json(said.text);
    REQUIRE_MESSAGE(shown.has_value(), said.text);
    Json netem;
    for (const auto& qdisc : *shown)
      if (qdisc["kind"] == "netem") netem = qdisc["options"];
    REQUIRE_MESSAGE(netem.is_object(), said.text);
    CHECK(netem["delay"]["delay"].get<double>() == doctest::Approx(0.123457));
    CHECK(netem["delay"]["jitter"].get<double>() == doctest::Approx(0.000011));
    CHECK(netem["loss-random"]["loss"].get<double>() == doctest::Approx(0.015));
  }
  REQUIRE(fault.applied.values.size() == 4);
  CHECK(fault.applied.values[0].achieved == 123457000.0);
  CHECK(fault.applied.values[1].achieved == 11000.0);
}

TEST_CASE("netem is reverted twice, late and never applied with the same end") {
  const Wire& wire = the_wire();
  const Host host;
  const auto before = state(wire);
  const Injected fault(host, "network.impair", wire.victim(), with({{"delay", "20ms"}, {"direction", "both"}}));
  CHECK(state(wire) != before);
  fault.revert();
  CHECK(state(wire) == before);
  fault.revert();
  CHECK(state(wire) == before);
  CHECK_FALSE(fault.observe().in_place);
}

TEST_CASE("netem half applied is reverted: without its filters, without its netem, without its devices") {
  const Host host;
  for (const auto* breaks :
       {"tc filter del dev eth0 egress", "tc qdisc del dev $(ls /sys/class/net | grep n0$) root", "tc filter del dev eth0 ingress",
        "tc qdisc del dev eth0 clsact", "tc qdisc del dev $(ls /sys/class/net | grep f1$) clsact",
        "ip link set $(ls /sys/class/net | grep f0$) down", "ip link del $(ls /sys/class/net | grep n1$)"}) {
    INFO(breaks);
    const Wire& wire = the_wire();
    const auto before = state(wire);
    const Injected fault(host, "network.impair", wire.victim(), with({{"delay", "20ms"}, {"direction", "both"}}));
    const auto broken = wire.here("sh -c '" + std::string(breaks) + "'");
    REQUIRE_MESSAGE(broken.exit == 0, broken.text);
    CHECK_FALSE(fault.observe().in_place);
    fault.revert();
    CHECK(state(wire) == before);
  }
}

TEST_CASE("auto takes netem for a delay where the kernel has it, and says what it does") {
  const Wire& wire = the_wire();
  const Host host;
  const Injected fault(host, "network.impair", wire.victim(), Json{{"delay", "20ms"}});
  CHECK(fault.prepared.mechanism == "netem");
  CHECK(fault.prepared.undo.find("eth0") != std::string::npos);
  check_delayed(ping(wire, "-i 0.02 -c 20 -W 2 10.77.0.2"), 20);
}

TEST_CASE("two netem faults of opposite directions on one device, reverted in either order") {
  for (const bool outgoing_first : {true, false}) {
    const Wire& wire = the_wire();
    const Host host;
    const auto before = state(wire);
    const Injected out(host, "network.impair", wire.victim(), with({{"delay", "20ms"}}));
    const Injected in(host, "network.impair", wire.victim(), with({{"delay", "40ms"}, {"direction", "ingress"}}));
    check_delayed(ping(wire, "-i 0.02 -c 20 -W 2 10.77.0.2"), 60);
    (outgoing_first ? out : in).revert();
    check_delayed(ping(wire, "-i 0.02 -c 20 -W 2 10.77.0.2"), outgoing_first ? 40 : 20);
    (outgoing_first ? in : out).revert();
    CHECK(state(wire) == before);
  }
}

TEST_CASE("a namespace that is gone took netem along") {
  const Host host;
  Json change;
  {
    const Wire wire;
    const Injected fault(host, "network.impair", wire.victim(), with({{"delay", "20ms"}, {"direction", "both"}}));
    change = fault.prepared.change;
  }
  CHECK(find_fault("network.impair")->revert(host, change).has_value());
}
