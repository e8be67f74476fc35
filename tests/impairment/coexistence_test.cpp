// What others have set up on a device stays, and works, while a fault is on it, and is the same afterwards: their qdiscs, their filters and
// programs, their address translation. One suite for all backends: bpf and tap on this kernel, and all three in the guest of tests/uml,
// whose kernel also has the qdiscs that this one may lack.
#include "agent/workers/tap_worker.hpp"
#include "injector/core/json.hpp"
#include "injector/network/bpf.hpp"
#include "tests/impairment/backends.hpp"
#include "tests/support/child.hpp"
#include "tests/support/foreign.hpp"
#include "tests/support/forked_workers.hpp"
#include "tests/support/network.hpp"

#include <doctest/doctest.h>

#include <array>
#include <sstream>
#include <string>
#include <tuple>
#include <vector>

using namespace arashi;
using namespace arashi::test;

namespace {

struct Site {
  Wire wire;
  ForkedWorkers workers{arashi::workers::hold_packets};
  Host host;
  Site() {
    host.workers = &workers;
    REQUIRE(wire.there("sh -c 'timeout 100 iperf3 -s -D'").exit == 0);
    wire.await_servers_there({5201});
  }
  void set_up(const std::string& command) const {
    const auto said = wire.here("sh -c '" + command + "'");
    REQUIRE_MESSAGE(said.exit == 0, command, ": ", said.text);
  }
  // All of others that a fault could change: without counters, byte for byte.
  [[nodiscard]] std::string state() const {
    return wire
        .here(
            "sh -c 'tc -j qdisc show; for d in $(ls /sys/class/net); do tc -j class show dev $d; tc -j filter show dev $d; tc -j filter "
            "show "
            "dev $d egress 2>/dev/null; tc -j filter show dev $d ingress 2>/dev/null; done; ip -o link 2>/dev/null; iptables-legacy-save | "
            "sed "
            "\"s,\\\\[.*\\\\],,;/^#/d\"; "
            "cat /proc/sys/net/ipv4/conf/lo/route_localnet /proc/sys/net/ipv4/conf/lo/accept_local'")
        .text;
  }
  [[nodiscard]] std::string qdiscs(const std::string& device) const {  // but clsact, which a fault may add
    return wire
        .here("sh -c 'tc qdisc show dev " + device + " | grep -v clsact; tc class show dev " + device + "; tc filter show dev " + device +
              "'")
        .text;
  }
  // Mbit/s that a receiver gets. The server serves one at a time, and may still be at the end of the last one.
  [[nodiscard]] double throughput(const std::string& arguments) const {
    double bits = 0;
    std::string said;
    for (int tries = 0; tries < 3 && bits == 0; ++tries) {
      if (tries > 0) shell("sleep 1");
      said = wire.here("iperf3 -c " + arguments + " -t 1 -J | jq .end.sum_received.bits_per_second").text;
      if (sscanf(said.c_str(), "%lf", &bits) != 1) bits = 0;
    }
    REQUIRE_MESSAGE(bits > 0, said);
    return bits / 1e6;
  }
};

// Where the other kernel, on which the rest of this runs for bpf and tap, has no such qdisc.
std::vector<std::string> backends_in_guest() {
  return backends_here().front() == "netem" ? std::vector<std::string>{"bpf", "tap", "netem"} : backends_here();
}

void check_same(const std::string& now, const std::string& before) {
  std::string differs;
  for (const auto& [text, other, sign] : {std::tuple{&before, &now, "\n- "}, std::tuple{&now, &before, "\n+ "}}) {
    std::istringstream lines(*text);
    for (std::string line; std::getline(lines, line);)
      if (("\n" + *other + "\n").find("\n" + line + "\n") == std::string::npos) differs += sign + line;
  }
  const bool same = now == before;
  CHECK_MESSAGE(same, differs);
}

// Something of this backend's that TCP bears well.
Json mild(const std::string& backend, const char* direction) {
  Json given{{"backend", backend}, {"direction", direction}, {"device", "eth0"}};
  if (backend == "bpf") given["duplicate"] = "20%";
  if (backend != "bpf") given["delay"] = "10ms";
  return given;
}

void check_bites(const Site& site, const std::string& backend, const Injected& fault) {
  const auto pings = ping(site.wire, "-i 0.01 -c 20 -W 2 10.77.0.2");
  CHECK(pings.received >= 20);
  if (backend != "bpf") CHECK(pings.least > 9.5);
  CHECK(fault.observe().bit);
  CHECK(fault.observe().in_place);
}

struct Tree {
  const char* name;
  const char* make;
  double most;  // Mbit/s that it lets through; 0: no limit of its own
  bool common;  // every kernel here has it
};
constexpr std::array trees{
    Tree{"fq", "tc qdisc add dev eth0 root handle 8: fq", 0, false},
    Tree{"fq_codel", "tc qdisc add dev eth0 root handle 8: fq_codel limit 777", 0, false},
    Tree{"tbf", "tc qdisc add dev eth0 root handle 1: tbf rate 20mbit burst 32k latency 50ms", 20, true},
    // As a CNI's bandwidth plugin makes it: everything in a limited class, but for some networks.
    Tree{"htb",
         "tc qdisc add dev eth0 root handle 1: htb default 30; tc class add dev eth0 parent 1: classid 1:1 htb rate 10gbit; "
         "tc class add dev eth0 parent 1: classid 1:30 htb rate 5mbit burst 32k; tc qdisc add dev eth0 parent 1:30 handle 30: pfifo limit "
         "200; "
         "tc filter add dev eth0 parent 1: prio 1 protocol ip u32 match ip dst 10.77.0.3/32 flowid 1:1",
         5, true},
};

void check_rates(const Site& site, const Tree& tree) {
  const double through = site.throughput("10.77.0.2");
  INFO(std::string(tree.name), ": ", through, " Mbit/s");
  if (tree.most == 0) CHECK(through > 10);
  if (tree.most > 0) CHECK(through > 0.4 * tree.most);
  if (tree.most > 0) CHECK(through < 1.05 * tree.most);
  if (std::string(tree.name) != "htb") return;
  double unlimited = 0;  // the class without a limit, by its filter; a busy machine is slow too, but not each time
  for (int tries = 0; tries < 4 && unlimited <= 2 * tree.most; ++tries) unlimited = site.throughput("10.77.0.3");
  CHECK(unlimited > 2 * tree.most);
}

}  // namespace

TEST_CASE("coexistence: the device's own qdiscs stay, shape, and are the same after") {
  const Site site;
  int known = 0;
  for (const auto& tree : trees) {
    const auto made = site.wire.here("sh -c '" + std::string(tree.make) + "'");
    if (made.text.find("qdisc kind is unknown") != std::string::npos) continue;
    REQUIRE_MESSAGE(made.exit == 0, made.text);
    ++known;
    const auto before = site.state();
    const auto standing = site.qdiscs("eth0");
    for (const auto& backend : tree.common ? backends_here() : backends_in_guest()) {
      INFO(backend, " beside ", std::string(tree.name));
      const Injected fault(site.host, "network.impair", site.wire.victim(), mild(backend, "both"));
      CHECK(fault.prepared.mechanism == backend);
      CHECK(site.qdiscs("eth0") == standing);
      check_bites(site, backend, fault);
      check_rates(site, tree);
      fault.revert();
      check_same(site.state(), before);
    }
    site.set_up("tc qdisc del dev eth0 root");
  }
  CHECK(known >= 2);
}

TEST_CASE("coexistence: mq with a qdisc below it, on a device of several queues") {
  const Site site;
  REQUIRE(site.wire
              .here("sh -c 'ip link add many numtxqueues 4 numrxqueues 4 type veth peer name many2 && ip link set many up && ip link set "
                    "many2 up && ip addr add 10.88.0.1/24 dev many && tc qdisc add dev many root handle 9: mq && tc qdisc add dev many "
                    "parent 9:1 handle 10: pfifo limit 77'")
              .exit == 0);
  const auto before = site.state();
  for (const auto& backend : backends_here()) {
    INFO(backend);
    const auto standing = site.qdiscs("many");
    auto given = mild(backend, "egress");
    given["device"] = "many";
    const Injected fault(site.host, "network.impair", site.wire.victim(), given);
    CHECK(site.qdiscs("many") == standing);
    // Frames for a neighbour that nobody is: what counts is that they come out at the other end.
    const auto count = "cat /sys/class/net/many2/statistics/rx_packets";
    (void)site.wire.here("ip neigh replace 10.88.0.9 lladdr 02:00:00:00:00:09 dev many");
    const int first = std::stoi(site.wire.here(count).text);
    (void)site.wire.here("ping -q -i 0.01 -c 20 -W 1 10.88.0.9");
    CHECK(std::stoi(site.wire.here(count).text) - first >= 20);
    CHECK(fault.observe().affected >= (backend == "bpf" ? 1 : 20));
    fault.revert();
    (void)site.wire.here("ip neigh del 10.88.0.9 dev many");
    check_same(site.state(), before);
  }
}

TEST_CASE("coexistence: a packet's own priority still chooses its class") {
  const Site site;
  site.set_up(
      "tc qdisc add dev eth0 root handle 1: htb default 30; tc class add dev eth0 parent 1: classid 1:10 htb rate 1gbit; "
      "tc class add dev eth0 parent 1: classid 1:30 htb rate 1gbit");
  const auto sent = [&] {  // by the class that only SO_PRIORITY leads to
    const auto said = site.wire.here(R"(sh -c 'tc -s class show dev eth0 | grep -A1 "htb 1:10 " | grep -o "Sent.*pkt" | cut -d" " -f4')");
    INFO(said.text);
    return std::stoi(said.text);
  };
  for (const auto& backend : backends_here()) {
    if (backend == "tap") continue;  // a frame that was in user space has lost it: said in injector/faults/README.md
    INFO(backend);
    const Injected fault(site.host, "network.impair", site.wire.victim(), mild(backend, "egress"));
    const int before = sent();
    REQUIRE(site.wire
                .here(R"(perl -MSocket -e 'socket(S, PF_INET, SOCK_DGRAM, 0); setsockopt(S, SOL_SOCKET, 12, pack("i", 0x10010)) or die; )"
                      R"(send(S, "x", 0, sockaddr_in(9, inet_aton("10.77.0.2"))) for 1..20; select(undef, undef, undef, 0.2)')")
                .exit == 0);
    CHECK(sent() - before >= 20);
  }
}

TEST_CASE("coexistence: programs of others at both hooks see each packet once, and end the walk or let it go on as before") {
  const Site site;
  site.set_up("tc qdisc add dev eth0 clsact");
  const auto netns = site.wire.path_here();
  const ForeignProgram out_next(netns, "eth0", Hook::egress, 10, ForeignProgram::next);
  const ForeignProgram out_ends(netns, "eth0", Hook::egress, 20, ForeignProgram::ok);
  const ForeignProgram out_never(netns, "eth0", Hook::egress, 30, ForeignProgram::next);
  const ForeignProgram in_next(netns, "eth0", Hook::ingress, 10, ForeignProgram::next);
  const ForeignProgram in_ends(netns, "eth0", Hook::ingress, 20, ForeignProgram::ok);
  // And where a container's packets come out on its host, the host's own.
  REQUIRE(site.wire.there("tc qdisc add dev eth0 clsact").exit == 0);
  const ForeignProgram host_side(site.wire.path_there(), "eth0", Hook::ingress, 10, ForeignProgram::ok);
  (void)ping(site.wire, "-c 1 10.77.0.2");
  const auto before = site.state();
  for (const auto& backend : backends_here()) {
    INFO(backend);
    auto given = mild(backend, "both");
    if (backend == "bpf") given["duplicate"] = "100%";
    given["protocol"] = "icmp";
    const Injected fault(site.host, "network.impair", site.wire.victim(), given);
    const std::array all{&out_next, &out_ends, &in_next, &in_ends, &host_side};
    for (const auto* each : all) each->reset();
    CHECK(ping(site.wire, "-i 0.01 -c 20 -W 2 10.77.0.2").received >= 20);
    const std::uint64_t once = backend == "bpf" ? 40 : 20;  // a duplicate is a packet
    CHECK(out_next.icmp() == once);
    CHECK(out_ends.icmp() == once);
    CHECK(out_never.icmp() == 0);
    CHECK(host_side.icmp() == once);
    CHECK(in_next.icmp() == (backend == "bpf" ? 80 : 20));  // two answers, each of them twice
    CHECK(in_ends.icmp() == in_next.icmp());
    fault.revert();
    check_same(site.state(), before);
  }
}

TEST_CASE("coexistence: a program of others that redirects still does, with what the fault has held") {
  const Site site;
  site.set_up(
      "ip link add side type veth peer name side2; ip link set side up; ip link set side2 up; tc qdisc add dev side2 clsact; "
      "tc qdisc add dev eth0 clsact");
  const auto netns = site.wire.path_here();
  const ForeignProgram at_side(netns, "side2", Hook::ingress, 10, ForeignProgram::next);
  const ForeignProgram redirects(netns, "eth0", Hook::egress, 10, ForeignProgram::redirect_icmp, "side");
  const auto before = site.state();
  for (const auto& backend : backends_here()) {
    INFO(backend);
    const Injected fault(site.host, "network.impair", site.wire.victim(), mild(backend, "both"));
    at_side.reset();
    redirects.reset();
    CHECK(ping(site.wire, "-i 0.01 -c 20 -W 1 10.77.0.2").received == 0);
    CHECK(at_side.icmp() >= 20);
    CHECK(at_side.icmp() <= (backend == "bpf" ? 40 : 20));
    CHECK(redirects.icmp() == at_side.icmp());
    fault.revert();
    check_same(site.state(), before);
  }
}

TEST_CASE("coexistence: a filter of others with an action of its own acts on each packet once") {
  const Site site;
  site.set_up(
      "ip link add side type veth peer name side2; ip link set side up; ip link set side2 up; tc qdisc add dev side2 clsact; "
      "tc qdisc add dev eth0 clsact; tc filter add dev eth0 egress prio 5 protocol ip u32 match ip protocol 1 0xff action mirred egress "
      "mirror dev side; "
      "tc filter add dev eth0 ingress prio 5 protocol ip u32 match ip protocol 1 0xff action mirred egress mirror dev side");
  const ForeignProgram at_side(site.wire.path_here(), "side2", Hook::ingress, 10, ForeignProgram::next);
  const auto before = site.state();
  for (const auto& backend : backends_here()) {
    INFO(backend);
    const Injected fault(site.host, "network.impair", site.wire.victim(), mild(backend, backend == "bpf" ? "ingress" : "both"));
    at_side.reset();
    CHECK(ping(site.wire, "-i 0.01 -c 20 -W 1 10.77.0.2").received >= 20);
    CHECK(at_side.icmp() >= 40);
    CHECK(at_side.icmp() <= (backend == "bpf" ? 60 : 40));
    fault.revert();
    check_same(site.state(), before);
  }
}

TEST_CASE("coexistence: a service address is translated while its packets are hit, also on loopback") {
  const Site site;
  site.set_up(
      "ip route add 10.96.0.0/12 via 10.77.0.2; iptables-legacy -t nat -N KUBE-SERVICES; iptables-legacy -t nat -N KUBE-SVC-A; "
      "iptables-legacy -t nat -N KUBE-SEP-A; iptables-legacy -t nat -A OUTPUT -j KUBE-SERVICES; iptables-legacy -t nat -A PREROUTING -j "
      "KUBE-SERVICES; iptables-legacy -t nat -A KUBE-SERVICES -d 10.96.0.10/32 -p tcp --dport 80 -j KUBE-SVC-A; iptables-legacy -t nat -A "
      "KUBE-SVC-A -m statistic --mode random --probability 1.0 -j KUBE-SEP-A; iptables-legacy -t nat -A KUBE-SEP-A -p tcp -j DNAT "
      "--to-destination 10.77.0.2:8080; iptables-legacy -t nat -A OUTPUT -d 127.0.0.1/32 -p tcp --dport 80 -j DNAT --to-destination "
      "127.0.0.1:8081");
  for (const auto& [where, port] : {std::pair{site.wire.in_there(""), "8080"}, std::pair{site.wire.in_here(""), "8081"}})
    REQUIRE(
        shell(where + "sh -c 'timeout 100 perl -MIO::Socket::INET -e \"my \\$s = IO::Socket::INET->new(Listen => 9, LocalPort => " + port +
              ", ReuseAddr => 1) or die; while (my \\$c = \\$s->accept) { print \\$c qq(served\\\\n); close \\$c }\" >/dev/null 2>&1 &'")
            .exit == 0);
  const auto served = [&](const char* address) {
    return site.wire.here("sh -c 'timeout 3 nc -w 2 " + std::string(address) + " 80 </dev/null'").text == "served\n";
  };
  for (const auto* address : {"10.96.0.10", "127.0.0.1"})
    REQUIRE(arashi::testing::eventually([&] { return served(address); }, std::chrono::seconds(20)));
  const auto before = site.state();
  for (const auto& backend : backends_here())
    for (const auto* device : {"eth0", "lo"}) {
      INFO(backend, " on ", device);
      auto given = mild(backend, "both");
      given["device"] = device;
      given["protocol"] = "tcp";
      const Injected fault(site.host, "network.impair", site.wire.victim(), given);
      for (int i = 0; i < 5; ++i) CHECK(served(std::string(device) == "lo" ? "127.0.0.1" : "10.96.0.10"));
      CHECK(fault.observe().affected >= 1);
      fault.revert();
      check_same(site.state(), before);
    }
}

// The pod's limit on its way out, as the plugin makes it on the host's end of its veth: an `ingress` qdisc whose filter sends all to an
// ifb.
TEST_CASE("coexistence: an ingress qdisc that sends all to an ifb with tbf still limits") {
  const Site site;
  site.set_up(
      "ip link add bwp type ifb; ip link set bwp up; tc qdisc add dev bwp root tbf rate 20mbit burst 32k latency 50ms; tc qdisc add dev "
      "eth0 "
      "ingress; tc filter add dev eth0 parent ffff: protocol all u32 match u32 0 0 action mirred egress redirect dev bwp");
  const auto before = site.state();
  for (const auto& backend : backends_here()) {
    INFO(backend);
    const Injected fault(site.host, "network.impair", site.wire.victim(), mild(backend, "ingress"));
    const double through = site.throughput("10.77.0.2 -R");
    INFO(through, " Mbit/s");
    CHECK(through > 8);
    CHECK(through < 21);
    CHECK(fault.observe().affected > 20);
    fault.revert();
    check_same(site.state(), before);
  }
}
