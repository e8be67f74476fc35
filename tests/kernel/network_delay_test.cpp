// Delay and jitter by the tap backend, seen by ping, nc and iperf3.
#include "agent/workers/tap_worker.hpp"
#include "tests/support/child.hpp"
#include "tests/support/forked_workers.hpp"
#include "tests/support/network.hpp"

#include <doctest/doctest.h>

#include <csignal>
#include <cstdlib>

using namespace arashi;
using namespace arashi::test;
using arashi::testing::eventually;

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

std::string tc_state(const Wire& wire) {
  return wire.here("tc -j qdisc show").text + wire.here("tc -j filter show dev eth0 egress").text + wire.here("ip -o link").text +
         wire.here("bpftool net show").text;
}

bool passes_undelayed(const Wire& wire, double less_than) {
  const auto one = ping(wire, "-c 1 -W 1 10.77.0.2");
  return one.received == 1 && one.least < less_than;
}

void check_delay(const std::string& address, const std::string& direction, double factor) {
  const Site site;
  const Injected fault(site.host, "network.impair", site.wire.victim(),
                       Json{{"delay", "30ms"}, {"direction", direction}, {"peers", {address}}, {"backend", "tap"}});
  CHECK(fault.prepared.mechanism == "tap");
  CHECK(fault.applied.in_place);
  const auto pings = ping(site.wire, "-i 0.02 -c 50 -W 2 " + address);
  CHECK(pings.received == 50);
  CHECK(pings.least > 30 * factor - 0.3);
  CHECK(pings.least < 30 * factor + 5);
  REQUIRE(eventually([&] { return fault.observe().affected >= 50; }));  // the worker speaks every 200 ms
  const auto evidence = fault.observe();
  CHECK(evidence.in_place);
  CHECK(evidence.bit);
  REQUIRE(evidence.values.size() == 2);
  CHECK(evidence.values[1].what == "matched packets");
  CHECK(evidence.values[0].achieved.value_or(0) > 29e6);
  CHECK(evidence.values[0].achieved.value_or(0) * factor <
        (pings.mean + 1) * 1e6);  // no more than ping saw, which a busy machine makes more
  CHECK(ping(site.wire, "-i 0.01 -c 20 " + std::string(Wire::other_v4)).least < 25);
  fault.revert();
  CHECK(ping(site.wire, "-i 0.01 -c 20 " + address).least < 25);
}

}  // namespace

TEST_CASE("delay on egress, IPv4, only for the peer") { check_delay(Wire::there_v4, "egress", 1); }
TEST_CASE("delay on ingress, IPv4, only for the peer") { check_delay(Wire::there_v4, "ingress", 1); }
TEST_CASE("delay both ways, IPv4") { check_delay(Wire::there_v4, "both", 2); }
TEST_CASE("delay on egress, IPv6, only for the peer") { check_delay(Wire::there_v6, "egress", 1); }
TEST_CASE("delay on ingress, IPv6, only for the peer") { check_delay(Wire::there_v6, "ingress", 1); }

TEST_CASE("jitter is even around the delay, and loss comes with it") {
  const Site site;
  const Injected fault(site.host, "network.impair", site.wire.victim(),
                       Json{{"delay", "20ms"}, {"jitter", "10ms"}, {"loss", "10%"}, {"backend", "tap"}});
  // A busy machine adds to both; what is wrong by itself is wrong each time.
  const auto measure = [&] { return ping(site.wire, "-i 0.005 -c 600 -W 1 10.77.0.2"); };
  auto pings = measure();
  for (int again = 0; again < 5 && (pings.mean > 22 || pings.deviation > 7); ++again) pings = measure();
  CHECK(pings.mean > 19);
  CHECK(pings.mean < 24);
  CHECK(pings.deviation > 5.0);  // an even spread of ±10 ms has 5.77 ms
  CHECK(pings.deviation < 8.5);
  CHECK(pings.least > 9.5);
  CHECK(pings.received < 600 - 20);  // five standard deviations around 60 lost
  CHECK(pings.received > 600 - 100);
}

TEST_CASE("a delayed port leaves the other port, and TCP's data arrives whole") {
  const Site site;
  REQUIRE(site.wire.there("sh -c 'for p in 7001 7002; do timeout 30 nc -lk -N $p </dev/null >/dev/null 2>&1 & done'").exit == 0);
  site.wire.await_servers_there({7001, 7002});
  const Injected fault(site.host, "network.impair", site.wire.victim(),
                       Json{{"delay", "200ms"}, {"protocol", "tcp"}, {"ports", {"7001"}}, {"backend", "tap"}});
  const auto seconds_to = [&](int port) {
    const auto said = site.wire.here("sh -c \"date +%s%N; nc -z -w 2 10.77.0.2 " + std::to_string(port) + " && date +%s%N\"");
    long long first = 0;
    long long second = 0;
    REQUIRE(sscanf(said.text.c_str(), "%lld %lld", &first, &second) == 2);
    return static_cast<double>(second - first) / 1e9;
  };
  CHECK(seconds_to(7001) > 0.19);
  CHECK(eventually([&] { return seconds_to(7002) < 0.19; }));  // a busy machine takes longer, but not each time
  CHECK(ping(site.wire, "-i 0.01 -c 10 10.77.0.2").least < 100);
}

TEST_CASE("bulk TCP flows through the tap, both directions, and gets there whole") {
  const Site site;
  REQUIRE(site.wire.there("sh -c 'timeout 30 iperf3 -s -D'").exit == 0);
  const Injected fault(site.host, "network.impair", site.wire.victim(), Json{{"delay", "1ms"}, {"direction", "both"}, {"backend", "tap"}});
  site.wire.await_servers_there({5201});
  for (const char* reverse : {"", " -R"}) {
    const auto said = site.wire.here("iperf3 -c 10.77.0.2 -t 1 -J" + std::string(reverse) + " | jq .end.sum_received.bits_per_second");
    CHECK_MESSAGE(std::atof(said.text.c_str()) > 50e6, reverse, said.text);
  }
}

TEST_CASE("kill -9 of the worker: pings go on undelayed, and nothing is left") {
  const Site site;
  const auto before = tc_state(site.wire);
  const Injected fault(site.host, "network.impair", site.wire.victim(), Json{{"delay", "50ms"}, {"direction", "both"}, {"backend", "tap"}});
  CHECK(ping(site.wire, "-i 0.01 -c 5 10.77.0.2").least > 95);
  kill(site.worker(fault), SIGKILL);
  CHECK(eventually([&] { return site.has_ended(fault); }));
  const auto after = ping(site.wire, "-i 0.01 -c 50 10.77.0.2");
  CHECK(after.received == 50);
  CHECK(after.least < 10);
  CHECK_FALSE(fault.observe().in_place);
  CHECK(fault.observe().detail.find("137") != std::string::npos);
  fault.revert();
  CHECK(tc_state(site.wire) == before);
}

TEST_CASE("a stopped worker is no black hole: pings go on after a quarter of a second, and it is reported") {
  const Site site;
  const Injected fault(site.host, "network.impair", site.wire.victim(), Json{{"delay", "50ms"}, {"backend", "tap"}});
  CHECK(ping(site.wire, "-i 0.01 -c 5 10.77.0.2").least > 48);
  kill(site.worker(fault), SIGSTOP);
  CHECK(eventually([&] { return passes_undelayed(site.wire, 40); }));
  const auto stopped = ping(site.wire, "-i 0.01 -c 50 10.77.0.2");
  CHECK(stopped.received == 50);
  CHECK(stopped.least < 10);
  CHECK_FALSE(fault.observe().in_place);
  kill(site.worker(fault), SIGCONT);
  CHECK(eventually([&] { return ping(site.wire, "-i 0.01 -c 5 10.77.0.2").least > 48; }));
  CHECK(eventually([&] { return fault.observe().in_place; }));
}

TEST_CASE("a tap device that someone deletes ends the worker, and traffic passes") {
  const Site site;
  const Injected fault(site.host, "network.impair", site.wire.victim(), Json{{"delay", "50ms"}, {"backend", "tap"}});
  const auto id = fault.prepared.change["impairment"]["id"].get<std::string>();
  REQUIRE(site.wire.here("ip link del ar" + id + "-0").exit == 0);
  CHECK(eventually([&] { return site.has_ended(fault); }));
  CHECK_FALSE(fault.observe().in_place);
  const auto pings = ping(site.wire, "-i 0.01 -c 20 10.77.0.2");
  CHECK(pings.received == 20);
  CHECK(pings.least < 10);
}

TEST_CASE("a qdisc and a clsact filter of someone else stay in force under a delay, and unchanged") {
  const Site site;
  REQUIRE(site.wire.here("tc qdisc add dev eth0 root handle 1: htb default 10").exit == 0);
  REQUIRE(site.wire.here("tc class add dev eth0 parent 1: classid 1:10 htb rate 1gbit").exit == 0);
  REQUIRE(site.wire.here("tc qdisc add dev eth0 clsact").exit == 0);
  const auto before = tc_state(site.wire);
  {
    const Injected fault(site.host, "network.impair", site.wire.victim(), Json{{"delay", "20ms"}, {"backend", "tap"}});
    const Injected cut(site.host, "network.partition", site.wire.victim(), Json{{"peers", {"10.77.0.3"}}, {"direction", "egress"}});
    CHECK(ping(site.wire, "-i 0.01 -c 5 10.77.0.2").least > 19);
    CHECK(site.wire.here("ping -q -c 2 -i 0.1 -W 1 10.77.0.3").exit == 1);  // a clsact filter behind the tap
  }
  CHECK(tc_state(site.wire) == before);
}

TEST_CASE("the seed makes the losses of the tap backend the same each time") {
  const Site site;
  const auto run = [&] {
    const Injected fault(site.host, "network.impair", site.wire.victim(),
                         Json{{"delay", "2ms"}, {"loss", "30%"}, {"seed", 7}, {"protocol", "icmp"}, {"backend", "tap"}});
    return site.wire.here("ping -c 60 -i 0.005 -W 1 10.77.0.2 | grep -o 'icmp_seq=[0-9]*'").text;
  };
  const auto first = run();
  CHECK(first.size() > 100);
  CHECK(first == run());
}

TEST_CASE("a kernel without TCX: the same by clsact, open again after the worker's death, and nothing left after revert") {
  const Site site;
  const auto before = tc_state(site.wire);
  const auto link = site.wire.here("cat /sys/class/net/eth0/ifindex").text;
  const Injected fault(site.host, "network.impair", site.wire.victim(),
                       Json{{"delay", "30ms"}, {"direction", "both"}, {"backend", "tap"}, {"peers", {"10.77.0.2", "fd77::2"}}},
                       Json{{"clsactMissingOn", {std::atoi(link.c_str())}}});
  CHECK(site.wire.here("tc filter show dev eth0 egress").text.find("arashi:") != std::string::npos);
  CHECK(site.wire.here("tc filter show dev eth0 ingress").text.find("arashi:") != std::string::npos);
  for (const char* peer : {"10.77.0.2", "fd77::2"}) {
    const auto pings = ping(site.wire, "-i 0.01 -c 20 " + std::string(peer));
    CHECK(pings.received == 20);
    CHECK(pings.least > 58);
  }
  CHECK(ping(site.wire, "-i 0.01 -c 20 10.77.0.3").least < 30);
  kill(site.worker(fault), SIGKILL);
  CHECK(eventually([&] { return passes_undelayed(site.wire, 40); }));
  CHECK(ping(site.wire, "-i 0.01 -c 20 10.77.0.2").received == 20);
  fault.revert();
  CHECK(tc_state(site.wire) == before);
}
