// Loss and partition by the bpf backend, seen by ping, nc and iperf3.
#include "injector/host/qdisc.hpp"
#include "tests/support/network.hpp"

#include <bpf/bpf.h>
#include <doctest/doctest.h>
#include <linux/bpf.h>

#include <array>
#include <cmath>
#include <memory>

using namespace arashi;
using namespace arashi::test;

namespace {

// Five standard deviations of a binomial: a right program fails once in a million runs.
void check_share(int lost, int of, double expected) {
  const double share = static_cast<double>(lost) / of;
  const double allowed = 5 * std::sqrt(expected * (1 - expected) / of);
  INFO(lost, " of ", of, " lost, expected ", expected, " ± ", allowed);
  CHECK(std::abs(share - expected) < allowed);
}

void check_loss(const Wire& wire, const std::string& address, const std::string& direction) {
  const Host host;
  const Injected fault(host, "network.impair", wire.victim(), Json{{"loss", "20%"}, {"direction", direction}, {"peers", {address}}});
  CHECK(fault.prepared.mechanism == "bpf");
  CHECK(fault.applied.in_place);
  CHECK_FALSE(fault.applied.bit);
  const auto pings = ping(wire, "-i 0.001 -c 2000 -W 1 " + address);
  check_share(pings.sent - pings.received, pings.sent, 0.2);
  const auto evidence = fault.observe();
  CHECK(evidence.bit);
  CHECK(evidence.affected == static_cast<std::uint64_t>(pings.sent - pings.received));
  CHECK(ping(wire, "-i 0.001 -c 300 -W 1 " + std::string(Wire::other_v4)).received == 300);
  fault.revert();
  CHECK(ping(wire, "-i 0.001 -c 300 -W 1 " + address).received == 300);
}

std::string tc_state(const Wire& wire) {
  return wire.here("tc -j qdisc show dev eth0").text + wire.here("tc -j filter show dev eth0 egress").text +
         wire.here("tc -j filter show dev eth0 ingress").text + wire.here("tc -j class show dev eth0").text;
}

// Someone else's filter: drops everything, so that it is seen to act behind ours.
void add_their_drop(const Wire& wire) {
  constexpr std::array<bpf_insn, 2> drop_all{bpf_insn{.code = BPF_ALU64 | BPF_MOV | BPF_K, .imm = 2}, bpf_insn{.code = BPF_JMP | BPF_EXIT}};
  const Fd program(bpf_prog_load(BPF_PROG_TYPE_SCHED_CLS, "theirs", "GPL", drop_all.data(), drop_all.size(), nullptr));
  REQUIRE(program.get() >= 0);
  const Host host;
  auto socket = socket_in(host, {wire.victim().netns_path, wire.victim().netns});
  REQUIRE(socket.has_value());
  const auto links_there = links(*socket);
  REQUIRE(links_there.has_value());
  for (const auto& link : *links_there)
    if (link.device.name == "eth0") REQUIRE(add_filter(*socket, link.device.index, Hook::egress, program.get(), "theirs", {}).has_value());
}

}  // namespace

TEST_CASE("loss on egress is what was asked, IPv4, and only for the peer") {
  const Wire wire;
  check_loss(wire, Wire::there_v4, "egress");
}

TEST_CASE("loss on ingress is what was asked, IPv4, and only for the peer") {
  const Wire wire;
  check_loss(wire, Wire::there_v4, "ingress");
}

TEST_CASE("loss on egress is what was asked, IPv6") {
  const Wire wire;
  check_loss(wire, Wire::there_v6, "egress");
}

TEST_CASE("loss on ingress is what was asked, IPv6") {
  const Wire wire;
  check_loss(wire, Wire::there_v6, "ingress");
}

TEST_CASE("the same seed loses the same packets") {
  const Wire wire;
  const Host host;
  const auto run = [&] {
    const Injected fault(host, "network.impair", wire.victim(), Json{{"loss", "30%"}, {"seed", 7}, {"protocol", "icmp"}});
    return wire.here("ping -c 60 -i 0.001 -W 1 10.77.0.2 | grep -o 'icmp_seq=[0-9]*'").text;
  };
  const auto first = run();
  CHECK(first.size() > 100);
  CHECK(first == run());
}

TEST_CASE("loss on egress looks like a network's to TCP: it retransmits") {
  const Wire wire;
  const Host host;
  const auto server = wire.in_there("timeout 20 iperf3 -s -1 -D");
  REQUIRE(shell(server).exit == 0);
  const Injected fault(host, "network.impair", wire.victim(), Json{{"loss", "1%"}, {"protocol", "tcp"}, {"ports", {5201}}});
  wire.await_servers_there({5201});
  const auto said = wire.here("iperf3 -c 10.77.0.2 -t 2 -C cubic -J | jq .end.sum_sent.retransmits");
  CHECK_MESSAGE(std::atoi(said.text.c_str()) > 10, said.text);
}

TEST_CASE("a partition of one port leaves the other port and other peers alone") {
  const Wire wire;
  const Host host;
  const auto listen = [&](int port) {
    return wire.in_there("sh -c 'timeout 30 nc -lk " + std::to_string(port) + " </dev/null >/dev/null 2>&1 &'");
  };
  REQUIRE(shell(listen(7001)).exit == 0);
  REQUIRE(shell(listen(7002)).exit == 0);
  wire.await_servers_there({7001, 7002});
  const auto connects = [&](const char* to, int port) {
    return wire.here("nc -z -w 1 " + std::string(to) + " " + std::to_string(port)).exit == 0;
  };
  REQUIRE(connects("10.77.0.2", 7001));
  const Injected fault(host, "network.partition", wire.victim(), Json{{"peers", {"10.77.0.2"}}, {"protocol", "tcp"}, {"ports", {"7001"}}});
  CHECK_FALSE(connects("10.77.0.2", 7001));
  CHECK(connects("10.77.0.2", 7002));
  CHECK(connects("10.77.0.3", 7001));
  CHECK(ping(wire, "-i 0.01 -c 20 10.77.0.2").received == 20);
  fault.revert();
  CHECK(connects("10.77.0.2", 7001));
}

TEST_CASE("a partition from everyone with an exception leaves the exception and neighbour discovery") {
  const Wire wire;
  const Host host;
  const Injected fault(host, "network.partition", wire.victim(), Json{{"except", {"10.77.0.3"}}});
  CHECK(wire.here("ping -q -c 3 -i 0.1 -W 1 10.77.0.2").exit == 1);
  CHECK(wire.here("ping -q -c 3 -i 0.1 -W 1 fd77::2").exit == 1);
  CHECK(ping(wire, "-i 0.01 -c 20 10.77.0.3").received == 20);
  REQUIRE(wire.here("ip neigh flush dev eth0").exit == 0);
  fault.revert();
  CHECK(ping(wire, "-c 1 -W 2 fd77::2").received == 1);
}

TEST_CASE("the agent's port passes a partition from everyone, and whatever else its machine and the runner's say does not") {
  const Wire wire;
  Host host;
  host.control = {.agent_port = 7001, .runner_addresses = {"10.77.0.2"}, .agent_addresses = {}};
  const auto listen = [](const std::string& port) { return "sh -c 'timeout 30 nc -lk " + port + " </dev/null >/dev/null 2>&1 &'"; };
  for (const auto* port : {"7001", "7002"}) {
    REQUIRE(wire.there(listen(port)).exit == 0);
    REQUIRE(wire.here(listen(port)).exit == 0);
  }
  wire.await_servers_there({7001, 7002});
  wire.await_servers_here({7001, 7002});
  const Injected fault(host, "network.partition", wire.victim(), Json::object());
  CHECK(wire.here("ping -q -c 3 -i 0.1 -W 1 10.77.0.2").exit == 1);
  CHECK(wire.here("nc -z -w 1 10.77.0.2 7001").exit == 0);   // an agent on the far side
  CHECK(wire.here("nc -z -w 1 10.77.0.2 7002").exit != 0);   // the runner's own load, say
  CHECK(wire.there("nc -z -w 1 10.77.0.1 7001").exit != 0);  // somebody's service with that port: no agent lives here
}

TEST_CASE("UDP fragments behind the first match only without ports, IPv4 and IPv6") {
  const Wire wire;
  const Host host;
  const Injected fault(host, "network.partition", wire.victim(), Json{{"peers", {"10.77.0.2", "fd77::2"}}, {"direction", "egress"}});
  CHECK(wire.here("ping -q -c 2 -i 0.1 -W 1 -s 4000 10.77.0.2").exit == 1);
  CHECK(wire.here("ping -q -c 2 -i 0.1 -W 1 -s 4000 fd77::2").exit == 1);
  fault.revert();
  const Injected ports(host, "network.impair", wire.victim(), Json{{"loss", "100%"}, {"protocol", "udp"}, {"ports", {"1-65535"}}});
  CHECK(ping(wire, "-i 0.01 -c 10 -s 4000 10.77.0.2").received == 10);
  CHECK(ping(wire, "-i 0.01 -c 10 -s 4000 fd77::2").received == 10);
}

TEST_CASE("the same fault through a thousand peers hits the thousandth and no other") {
  const Wire wire;
  const Host host;
  Json peers = Json::array({"10.77.0.2"});
  for (int i = 0; i < 999; ++i) peers.push_back("10.78." + std::to_string(i / 250) + "." + std::to_string(i % 250));
  REQUIRE(wire.here("ip route add 10.78.0.0/16 via 10.77.0.3").exit == 0);
  const Injected fault(host, "network.partition", wire.victim(), Json{{"peers", peers}});
  CHECK(wire.here("ping -q -c 3 -i 0.1 -W 1 10.77.0.2").exit == 1);
  CHECK(ping(wire, "-i 0.01 -c 20 10.77.0.3").received == 20);
}

TEST_CASE("what was on the device before is there again afterwards, byte for byte") {
  const Wire wire;
  const Host host;
  const auto before_all = tc_state(wire);
  {
    const Injected fault(host, "network.impair", wire.victim(), Json{{"loss", "5%"}, {"direction", "both"}});
    CHECK(tc_state(wire) != before_all);
  }
  CHECK(tc_state(wire) == before_all);

  REQUIRE(wire.here("tc qdisc add dev eth0 root handle 1: htb default 10").exit == 0);
  REQUIRE(wire.here("tc class add dev eth0 parent 1: classid 1:10 htb rate 1gbit").exit == 0);
  REQUIRE(wire.here("tc qdisc add dev eth0 parent 1:10 handle 10: pfifo limit 77").exit == 0);
  REQUIRE(wire.here("tc qdisc add dev eth0 clsact").exit == 0);
  REQUIRE(wire.here("tc filter add dev eth0 egress prio 5 protocol ip u32 match ip dst 10.77.0.9/32 flowid 1:10").exit == 0);
  add_their_drop(wire);
  const auto before = tc_state(wire);
  {
    const Injected fault(host, "network.impair", wire.victim(), Json{{"loss", "100%"}, {"peers", {"10.77.0.2"}}});
    CHECK(wire.here("ping -q -c 2 -i 0.1 -W 1 10.77.0.2").exit == 1);
    CHECK(wire.here("ping -q -c 2 -i 0.1 -W 1 10.77.0.3").exit == 1);  // their filter still works behind ours
    CHECK(fault.observe().affected >= 2);
  }
  CHECK(tc_state(wire) == before);
}

TEST_CASE("two faults on one device: the last one out takes clsact away, whoever made it") {
  const Wire wire;
  const Host host;
  const auto before = tc_state(wire);
  const Injected first(host, "network.impair", wire.victim(), Json{{"loss", "100%"}, {"peers", {"10.77.0.2"}}});
  const Injected second(host, "network.impair", wire.victim(), Json{{"loss", "100%"}, {"peers", {"10.77.0.3"}}, {"direction", "ingress"}});
  first.revert();
  CHECK(ping(wire, "-i 0.01 -c 5 10.77.0.2").received == 5);
  CHECK(wire.here("ping -q -c 2 -i 0.1 -W 1 10.77.0.3").exit == 1);
  second.revert();
  second.revert();
  CHECK(tc_state(wire) == before);
}

TEST_CASE("a revert finds its way when the namespace, the device or the filter is gone") {
  const Host host;
  const auto wire = std::make_unique<Wire>();
  const auto* fault = find_fault("network.partition");
  const Injected filter_gone(host, "network.partition", wire->victim(), Json{{"peers", {"10.77.0.2"}}});
  CHECK(wire->here("tc qdisc del dev eth0 clsact").exit == 0);
  CHECK_FALSE(filter_gone.observe().in_place);
  filter_gone.revert();
  const Injected device_gone(host, "network.partition", wire->victim(), Json{{"peers", {"10.77.0.2"}}});
  CHECK(wire->here("ip link del eth0").exit == 0);
  device_gone.revert();
  const Request request{.id = unique_id(),
                        .experiment = "test",
                        .victim = wire->victim(),
                        .params = canonical(*fault, Json{{"peers", {"10.77.0.2"}}}),
                        .duration = {}};
  const auto refused = fault->prepare(host, request);
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().message.find("10.77.0.2") != std::string::npos);
}
