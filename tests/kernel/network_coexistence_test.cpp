// Beside what only newer kernels have: TCX programs of others, and nftables. The rest is in tests/impairment/coexistence_test.cpp.
#include "agent/workers/tap_worker.hpp"
#include "injector/host/netns.hpp"
#include "injector/host/tcx.hpp"
#include "injector/network/bpf.hpp"
#include "tests/support/foreign.hpp"
#include "tests/support/forked_workers.hpp"
#include "tests/support/network.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace arashi;
using namespace arashi::test;

namespace {

// Cilium since 1.16: it ends the walk with TC_ACT_OK, so that nothing at clsact ever sees the packet.
Fd attach_as_tcx(const Host& host, const Wire& wire, const ForeignProgram& program, Hook hook) {
  Fd link;
  const auto netns = open_netns(host, {wire.path_here(), wire.victim().netns});
  REQUIRE(netns.has_value());
  const auto links = wire.here("cat /sys/class/net/eth0/ifindex");
  const auto attached = inside(*netns, [&]() -> Result<void> {
    link = TRY(attach_tcx(program.program(), std::stoi(links.text), hook));
    return {};
  });
  REQUIRE_MESSAGE(attached.has_value(), attached.error().message);
  return link;
}

std::string state(const Wire& wire) {
  return wire
      .here("sh -c 'tc -j qdisc show; tc -j filter show dev eth0 egress; bpftool net show; nft list ruleset; ip -o link 2>/dev/null'")
      .text;
}

}  // namespace

TEST_CASE("coexistence: a TCX program of others that ends the walk works on, and auto takes the backend that is before it") {
  const Wire wire;
  ForkedWorkers workers{arashi::workers::hold_packets};
  Host host;
  host.workers = &workers;
  const ForeignProgram out(ForeignProgram::ok);
  const ForeignProgram in(ForeignProgram::ok);
  const auto out_link = attach_as_tcx(host, wire, out, Hook::egress);
  const auto in_link = attach_as_tcx(host, wire, in, Hook::ingress);
  const auto before = state(wire);
  {
    const Injected fault(host, "network.impair", wire.victim(), Json{{"delay", "20ms"}, {"direction", "both"}});
    CHECK(fault.prepared.mechanism == "tap");
    out.reset();
    in.reset();
    const auto pings = ping(wire, "-i 0.01 -c 20 -W 2 10.77.0.2");
    CHECK(pings.least > 39);
    CHECK(out.icmp() == 20);
    CHECK(in.icmp() == 20);
  }
  CHECK(state(wire) == before);
  const Injected loss(host, "network.impair", wire.victim(), Json{{"loss", "100%"}});
  CHECK(loss.prepared.mechanism == "tap");
  CHECK(loss.prepared.because.find("TCX program") != std::string::npos);
  out.reset();
  CHECK(ping(wire, "-i 0.01 -c 10 -W 1 10.77.0.2").received == 0);
  CHECK(out.icmp() == 0);
}

TEST_CASE("coexistence: nftables' address translation works while its packets are hit, and the ruleset is the same after") {
  const Wire wire;
  ForkedWorkers workers{arashi::workers::hold_packets};
  Host host;
  host.workers = &workers;
  const auto made = wire.here(
      "sh -c 'ip route add 10.96.0.0/12 via 10.77.0.2; nft add table ip kube-proxy; nft add chain ip kube-proxy services; nft \"add chain "
      "ip "
      "kube-proxy nat-output { type nat hook output priority -100; }\"; nft add rule ip kube-proxy nat-output jump services; nft add rule "
      "ip "
      "kube-proxy services ip daddr 10.96.0.10 tcp dport 80 dnat to 10.77.0.2:8080'");
  REQUIRE_MESSAGE(made.exit == 0, made.text);
  REQUIRE(wire.there("sh -c 'timeout 60 nc -lk 8080 </dev/null >/dev/null 2>&1 &'").exit == 0);
  wire.await_servers_there({8080});
  const auto reached = [&] { return wire.here("nc -z -w 2 10.96.0.10 80").exit == 0; };
  REQUIRE(reached());
  const auto before = state(wire);
  for (const auto* backend : {"bpf", "tap"}) {
    INFO(std::string(backend));
    Json given{{"backend", backend}, {"direction", "both"}, {"protocol", "tcp"}, {"device", "eth0"}};
    given[std::string(backend) == "tap" ? "delay" : "duplicate"] = std::string(backend) == "tap" ? "20ms" : "50%";
    const Injected fault(host, "network.impair", wire.victim(), given);
    for (int i = 0; i < 5; ++i) CHECK(reached());
    CHECK(fault.observe().bit);
    fault.revert();
    CHECK(state(wire) == before);
  }
}
