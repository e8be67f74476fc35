// Loopback: each packet of it leaves and arrives in the same namespace, and is hit once.
#include "agent/workers/tap_worker.hpp"
#include "injector/network/impairment.hpp"
#include "tests/support/child.hpp"
#include "tests/support/forked_workers.hpp"
#include "tests/support/network.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <csignal>
#include <cstdlib>

using namespace arashi;
using namespace arashi::test;

namespace {

struct Site {
  Wire wire;
  ForkedWorkers workers{arashi::workers::hold_packets};
  Host host;
  Site() { host.workers = &workers; }
  [[nodiscard]] std::int32_t worker(const Injected& fault) const {
    return workers.pid(fault.prepared.change["impairment"]["id"].get<std::string>());
  }
  [[nodiscard]] bool has_ended(const Injected& fault) const {  // the worker, and with it what it held
    const char state = arashi::testing::process_state(worker(fault));
    return state == 'Z' || state == '\0';
  }
};

std::string state(const Wire& wire) {
  return wire
      .here(
          "sh -c 'tc -j qdisc show; tc -j filter show dev lo egress; tc -j filter show dev lo ingress; ip -o link; bpftool net show; "
          "cat /proc/sys/net/ipv4/conf/lo/route_localnet /proc/sys/net/ipv4/conf/lo/accept_local'")
      .text;
}

// Five standard deviations of a binomial: a right program fails once in a million runs.
void check_share(const Pings& pings, double expected) {
  const double share = static_cast<double>(pings.sent - pings.received) / pings.sent;
  INFO(share, " lost, expected ", expected);
  CHECK(std::abs(share - expected) < 5 * std::sqrt(expected * (1 - expected) / pings.sent));
}

void check_delay(const std::string& address, const std::string& direction, double least) {
  const Site site;
  const auto before = state(site.wire);
  const Injected fault(site.host, "network.impair", site.wire.victim(),
                       Json{{"delay", "30ms"}, {"direction", direction}, {"device", "lo"}, {"backend", "tap"}});
  CHECK(fault.applied.in_place);
  const auto pings = ping(site.wire, "-i 0.02 -c 20 -W 2 " + address);
  CHECK(pings.received == 20);
  CHECK(pings.least > least - 0.3);
  CHECK(pings.least < least + 10);
  CHECK(ping(site.wire, "-i 0.01 -c 10 10.77.0.2").least < 25);  // the other device
  CHECK(fault.observe().bit);
  fault.revert();
  CHECK(ping(site.wire, "-i 0.01 -c 10 " + address).least < 25);
  CHECK(state(site.wire) == before);
}

}  // namespace

TEST_CASE("loss on loopback, in both directions: request and reply are each hit once") {
  const Wire wire;
  const Host host;
  const auto before = state(wire);
  for (const char* address : {"127.0.0.1", "::1"}) {
    const Injected fault(host, "network.impair", wire.victim(), Json{{"loss", "20%"}, {"direction", "both"}, {"peers", {address}}});
    CHECK(fault.prepared.mechanism == "bpf");
    check_share(ping(wire, "-i 0.001 -c 600 -W 1 " + std::string(address)), 1 - 0.8 * 0.8);
    CHECK(ping(wire, "-i 0.001 -c 100 -W 1 10.77.0.2").received == 100);
  }
  CHECK(state(wire) == before);
}

TEST_CASE("on loopback the direction says at whose end peers and ports are read") {
  const Wire wire;
  const Host host;
  REQUIRE(
      wire.here("sh -c 'timeout 30 nc -lk 7001 </dev/null >/dev/null 2>&1 & timeout 30 nc -lk 7002 </dev/null >/dev/null 2>&1 &'").exit ==
      0);
  const auto connects = [&](const char* port) { return wire.here("nc -z -w 1 127.0.0.1 " + std::string(port)).exit == 0; };
  wire.await_servers_here({7001, 7002});
  REQUIRE(connects("7001"));
  // How many handshakes the server answered while nothing got through.
  const auto answered = [&](Json given) {
    given.update({{"loss", "100%"}, {"device", "lo"}, {"protocol", "tcp"}});
    const Injected fault(host, "network.impair", wire.victim(), given);
    CHECK(connects("7002"));
    const auto* half_open =
        "sh -c 'nc -z -w 1 127.0.0.1 7001 & for i in $(seq 12); do sleep 0.1; ss -Htn state syn-recv sport = :7001 | wc -l; done | sort -n "
        "| "
        "tail -n 1; wait'";
    return std::atoi(wire.here(half_open).text.c_str());
  };
  // As the client sees it, what goes to the server's port; as the server sees it, what comes to its own: both are the request.
  CHECK(answered({{"direction", "egress"}, {"ports", {"7001"}}}) == 0);
  CHECK(answered({{"direction", "ingress"}, {"localPorts", {"7001"}}}) == 0);
  // And both of these are the answer: the server has had the request.
  CHECK(answered({{"direction", "ingress"}, {"ports", {"7001"}}}) > 0);
  CHECK(answered({{"direction", "egress"}, {"localPorts", {"7001"}}}) > 0);
}

TEST_CASE("delay on loopback, IPv4, once for the request and once for the reply") { check_delay("127.0.0.1", "both", 60); }
TEST_CASE("delay on loopback as the sender sees it, IPv4") { check_delay("127.0.0.1", "egress", 60); }
TEST_CASE("delay on loopback as the receiver sees it, IPv6") { check_delay("::1", "ingress", 60); }
TEST_CASE("delay on loopback between the target's own addresses") { check_delay("10.77.0.1", "both", 60); }

TEST_CASE("delay of one port on loopback: TCP arrives whole, and the other port is spared") {
  const Site site;
  REQUIRE(site.wire.here("sh -c 'timeout 30 iperf3 -s -p 7001 -D; timeout 30 iperf3 -s -p 7002 -D'").exit == 0);
  site.wire.await_servers_here({7001, 7002});
  const Injected fault(
      site.host, "network.impair", site.wire.victim(),
      Json{{"delay", "20ms"}, {"direction", "egress"}, {"ports", {"7001"}}, {"peers", {"127.0.0.0/8"}}, {"backend", "tap"}});
  const auto round_trip = [&](const char* port) {  // microseconds, as the sender's TCP measures it
    const auto said = site.wire.here("iperf3 -c 127.0.0.1 -t 1 -J -p " + std::string(port) +
                                     " | jq '.end.streams[0].sender.min_rtt, .end.sum_received.bytes'");
    int rtt = 0;
    double bytes = 0;
    REQUIRE_MESSAGE(sscanf(said.text.c_str(), "%d %lf", &rtt, &bytes) == 2, said.text);
    CHECK(bytes > 1000000);
    return rtt;
  };
  CHECK(round_trip("7001") > 19000);
  CHECK(round_trip("7002") < 19000);
}

TEST_CASE("loopback is open again when the worker is killed, and its settings are put back, unless someone changed them") {
  const Site site;
  const auto before = state(site.wire);
  {
    const Injected fault(site.host, "network.impair", site.wire.victim(),
                         Json{{"delay", "50ms"}, {"device", "lo"}, {"direction", "both"}, {"backend", "tap"}});
    CHECK(state(site.wire) != before);
    kill(site.worker(fault), SIGKILL);
    CHECK(arashi::testing::eventually([&] { return site.has_ended(fault); }));
    CHECK(ping(site.wire, "-i 0.01 -c 20 127.0.0.1").least < 25);
    fault.revert();
    CHECK(state(site.wire) == before);
  }
  REQUIRE(site.wire.here("sysctl -qw net.ipv4.conf.lo.route_localnet=1").exit == 0);
  {
    const Injected fault(site.host, "network.impair", site.wire.victim(), Json{{"delay", "50ms"}, {"device", "lo"}, {"backend", "tap"}});
    REQUIRE(site.wire.here("sysctl -qw net.ipv4.conf.lo.accept_local=2").exit == 0);
  }
  CHECK(site.wire.here("cat /proc/sys/net/ipv4/conf/lo/route_localnet /proc/sys/net/ipv4/conf/lo/accept_local").text == "1\n2\n");
}

TEST_CASE("loopback is claimed whole, as the same packet passes both its sides") {
  Impairment impairment{.id = "x", .netns = {"", 7}, .devices = {{"lo", 1, true}}, .traffic = {}, .effects = {}, .seed = {}};
  impairment.traffic.egress = true;
  CHECK(claims_of(impairment) == std::vector<std::string>{"netns:7/lo/egress", "netns:7/lo/ingress"});
}
