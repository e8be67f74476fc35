// One cgroup of a network namespace that others share: its own traffic is hit, a sibling's is not.
#include "agent/workers/tap_worker.hpp"
#include "injector/host/netns.hpp"
#include "injector/injection.hpp"
#include "injector/network/impairment.hpp"
#include "tests/support/cgroups.hpp"
#include "tests/support/forked_workers.hpp"
#include "tests/support/machine.hpp"
#include "tests/support/network.hpp"

#include <doctest/doctest.h>

#include <unistd.h>
#include <cmath>
#include <cstdlib>
#include <fstream>

using namespace arashi;
using namespace arashi::test;
using arashi::testing::Cgroup;
using arashi::testing::sleeper;
using arashi::testing::the_victim;

namespace {

// Two cgroups with a process each in one namespace.
struct Site {
  Wire wire;
  Cgroup hit{"v2", "arashihit"}, spared{"v2", "arashispared"};
  Child one = sleeper(wire.victim().netns_path, {hit.path()});
  Child other = sleeper(wire.victim().netns_path, {spared.path()});
  ForkedWorkers workers{arashi::workers::hold_packets};
  Host host;
  Site() { host.workers = &workers; }

  [[nodiscard]] Victim victim() const { return the_victim(host, {"cgroup", {{"path", hit.below_root()}}}); }
  // A command's text, run by a shell that is in the cgroup and the namespace.
  [[nodiscard]] std::string in(const Cgroup& cgroup, const std::string& command) const {
    return "sh -c 'echo $$ > " + cgroup.path().string() + "/cgroup.procs; exec " + wire.in_here(command) + "'";
  }
  [[nodiscard]] Pings ping_from(const Cgroup& cgroup, const std::string& arguments) const {
    const auto said = shell(in(cgroup, "ping -q " + arguments));
    Pings pings;
    const auto summary = said.text.find("statistics ---\n");
    REQUIRE_MESSAGE(summary != std::string::npos, said.text);
    REQUIRE(sscanf(said.text.c_str() + summary + 15, "%d packets transmitted, %d received", &pings.sent, &pings.received) == 2);
    const auto times = said.text.find("mdev = ");
    if (times != std::string::npos) sscanf(said.text.c_str() + times, "mdev = %lf/%lf/%lf", &pings.least, &pings.mean, &pings.most);
    return pings;
  }
  // Share of datagrams that a server in the cgroup did not get from the peer, in percent.
  [[nodiscard]] double lost_to(const Cgroup& cgroup, const std::string& port, const std::string& address) const {
    REQUIRE(shell(in(cgroup, "timeout 20 iperf3 -s -1 -D -p " + port)).exit == 0);
    wire.await_servers_here({std::stoi(port)});
    const auto said =
        wire.there("iperf3 -u -c " + address + " -p " + port + " -b 800K -l 200 -t 2 -J | jq .end.sum.lost_percent,.end.sum.packets");
    double lost = -1;
    int packets = 0;
    REQUIRE_MESSAGE(sscanf(said.text.c_str(), "%lf %d", &lost, &packets) == 2, said.text);
    CHECK(packets > 800);
    return lost;
  }
};

void check_percent(double lost, double expected) {
  INFO(lost, "% lost, expected ", expected);
  CHECK(std::abs(lost - expected) < 5 * 100 * std::sqrt(expected / 100 * (1 - expected / 100) / 800));
}

}  // namespace

TEST_CASE("loss of what one cgroup sends: its pings are lost, those of its sibling are not, IPv4 and IPv6") {
  const Site site;
  const Injected fault(site.host, "network.impair", site.victim(), Json{{"loss", "20%"}, {"direction", "egress"}});
  CHECK(fault.prepared.mechanism == "bpf");
  CHECK(fault.prepared.because.find(site.hit.below_root()) != std::string::npos);
  for (const char* peer : {Wire::there_v4, Wire::there_v6}) {
    const auto pings = site.ping_from(site.hit, "-i 0.001 -c 800 -W 1 " + std::string(peer));
    check_percent(100.0 * (pings.sent - pings.received) / pings.sent, 20);
    CHECK(site.ping_from(site.spared, "-i 0.001 -c 300 -W 1 " + std::string(peer)).received == 300);
  }
  CHECK(fault.observe().affected > 200);
  fault.revert();
  CHECK(site.ping_from(site.hit, "-i 0.001 -c 300 -W 1 10.77.0.2").received == 300);
}

TEST_CASE("loss of what one cgroup receives: its datagrams are lost, those of its sibling are not") {
  const Site site;
  const Injected fault(site.host, "network.impair", site.victim(), Json{{"loss", "20%"}, {"direction", "ingress"}, {"protocol", "udp"}});
  check_percent(site.lost_to(site.hit, "7001", Wire::here_v4), 20);
  CHECK(site.lost_to(site.spared, "7002", Wire::here_v4) < 5);  // a busy server's buffer may overflow
  check_percent(site.lost_to(site.hit, "7003", Wire::here_v6), 20);
  CHECK(site.lost_to(site.spared, "7004", Wire::here_v6) < 5);
}

TEST_CASE(
    "a socket that is opened later and never sends is hit on the way in once the fault was looked at, its sibling's is not, IPv4 and "
    "IPv6") {
  const Site site;
  const Injected fault(site.host, "network.impair", site.victim(), Json{{"loss", "20%"}, {"direction", "ingress"}});
  CHECK(fault.prepared.because.find("no incoming icmp") != std::string::npos);
  const arashi::testing::Directory directory;
  const auto receiver = directory.path() / "receiver.py", sender = directory.path() / "sender.py";
  std::ofstream(receiver) << R"(import socket, sys
s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, 33, 4000000)  # SO_RCVBUFFORCE: all fit in, however busy the machine is
s.bind(('::', int(sys.argv[1])))
s.settimeout(4)
count = 0
try:
    while True:
        s.recv(64)
        count += 1
except TimeoutError:
    print(count)
)";
  std::ofstream(sender) << R"(import socket, sys, time
s = socket.socket(socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
for n in range(2000):
    s.sendto(b'x', (sys.argv[1], int(sys.argv[2])))
    if n % 50 == 0: time.sleep(0.005)
)";
  const auto got = [&](const Cgroup& cgroup, const std::string& address, const std::string& port) {
    const auto out = directory.path() / port;
    const auto command = "timeout 40 python3 " + receiver.string() + " " + port + " >" + out.string() + " 2>&1";
    REQUIRE(shell(site.in(cgroup, command) + " &").exit == 0);
    REQUIRE(
        arashi::testing::eventually([&] { return !site.wire.here("ss -Hlun sport = :" + port).text.empty(); }, std::chrono::seconds(20)));
    (void)fault.observe();  // as the agent does, twice a second
    REQUIRE(site.wire.there("python3 " + sender.string() + " " + address + " " + port).exit == 0);
    REQUIRE(arashi::testing::eventually([&] { return std::filesystem::file_size(out) > 0; }, std::chrono::seconds(20)));
    return std::atoi(shell("cat " + out.string()).text.c_str());
  };
  check_percent(100 - got(site.hit, Wire::here_v4, "7101") / 20.0, 20);
  check_percent(100 - got(site.hit, Wire::here_v6, "7102") / 20.0, 20);
  CHECK(got(site.spared, Wire::here_v4, "7103") == 2000);
  CHECK(got(site.spared, Wire::here_v6, "7104") == 2000);
  CHECK(got(site.spared, Wire::here_v4, "7101") == 2000);  // it was the other's before
}

TEST_CASE("a cgroup below the one that is hit is hit as well") {
  const Site site;
  const Cgroup below(site.hit, "below");
  const Injected fault(site.host, "network.partition", site.victim(), Json{{"peers", {"10.77.0.2"}}, {"direction", "egress"}});
  CHECK(site.ping_from(below, "-i 0.1 -c 3 -W 1 10.77.0.2").received == 0);
  CHECK(site.ping_from(below, "-i 0.1 -c 3 -W 1 10.77.0.3").received == 3);
  CHECK(site.ping_from(site.spared, "-i 0.1 -c 3 -W 1 10.77.0.2").received == 3);
}

TEST_CASE("delay of one cgroup, both ways: its connections take their time, its sibling's do not") {
  const Site site;
  for (const auto& [cgroup, port] : {std::pair{&site.hit, "7001"}, std::pair{&site.spared, "7002"}})
    REQUIRE(shell(site.in(*cgroup, "timeout 30 nc -lk " + std::string(port)) + " </dev/null >/dev/null 2>&1 &").exit == 0);
  site.wire.await_servers_here({7001, 7002});
  const Injected fault(site.host, "network.impair", site.victim(), Json{{"delay", "100ms"}, {"direction", "both"}, {"backend", "tap"}});
  const auto seconds_to = [&](const char* port) {
    const auto said = site.wire.there("sh -c 'date +%s%N; nc -z -w 2 10.77.0.1 " + std::string(port) + " && date +%s%N'");
    long long first = 0;
    long long second = 0;
    REQUIRE_MESSAGE(sscanf(said.text.c_str(), "%lld %lld", &first, &second) == 2, said.text);
    return static_cast<double>(second - first) / 1e9;
  };
  CHECK(seconds_to("7001") > 0.195);  // the SYN comes in, the SYN-ACK goes out
  CHECK(seconds_to("7002") < 0.15);
  CHECK(site.ping_from(site.hit, "-i 0.02 -c 10 10.77.0.2").least > 99);
  CHECK(site.ping_from(site.spared, "-i 0.02 -c 10 10.77.0.2").least < 90);
}

TEST_CASE("a process and a unit that share a namespace are hit by their cgroup") {
  const Site site;
  const Cgroup unit(site.hit, "arashitest-" + std::to_string(getpid()) + ".service");
  const Child inside = sleeper(site.wire.victim().netns_path, {unit.path()});
  for (const auto& selector :
       {Selector{"unit", {{"name", unit.path().filename().string()}}}, Selector{"process", {{"pid", std::to_string(inside.pid())}}}}) {
    const Injected fault(site.host, "network.partition", the_victim(site.host, selector), Json{{"peers", {"10.77.0.2"}}});
    CHECK(fault.prepared.change["impairment"]["cgroup"]["level"] == 2);
    CHECK(site.ping_from(unit, "-i 0.1 -c 3 -W 1 10.77.0.2").received == 0);
    CHECK(site.ping_from(site.hit, "-i 0.1 -c 3 -W 1 10.77.0.2").received == 3);
    CHECK(site.ping_from(site.spared, "-i 0.1 -c 3 -W 1 10.77.0.2").received == 3);
  }
}

TEST_CASE("a cgroup that has a namespace for itself is hit whole") {
  Site site;
  site.other.signal(9);
  (void)site.other.wait(boot_now() + std::chrono::seconds(5));
  const Injected fault(site.host, "network.partition", site.victim(), Json{{"peers", {"10.77.0.2"}}});
  CHECK(fault.prepared.change["impairment"]["cgroup"].is_null());
}

TEST_CASE("two cgroups of one namespace are claimed apart, but not one of them beside the whole device") {
  Impairment impairment{.id = "x", .netns = {"", 7}, .devices = {{"eth0", 2}}, .traffic = {}, .effects = {}, .seed = {}};
  const auto whole = claims_of(impairment).at(0);
  impairment.cgroup = SocketCgroup{"a/b", 5, 2};
  const auto inner = claims_of(impairment).at(0);
  impairment.cgroup = SocketCgroup{"a/bc", 6, 2};
  const auto next = claims_of(impairment).at(0);
  impairment.cgroup = SocketCgroup{"a", 4, 1};
  const auto outer = claims_of(impairment).at(0);
  CHECK(claims_overlap(whole, inner));
  CHECK(claims_overlap(inner, outer));
  CHECK(claims_overlap(inner, inner));
  CHECK_FALSE(claims_overlap(inner, next));
}

TEST_CASE("what can't be told apart is refused with the reason") {
  const Site site;
  const auto& fault = *find_fault("network.impair");
  const auto refusal = [&](const Host& host, const Victim& victim, const Json& given) {
    const auto prepared =
        fault.prepare(host, {.id = unique_id(), .experiment = "test", .victim = victim, .params = canonical(fault, given), .duration = {}});
    REQUIRE_FALSE(prepared.has_value());
    return prepared.error().message;
  };
  const auto has = [](const std::string& text, const char* part) { return text.find(part) != std::string::npos; };
  const Json loss{{"loss", "1%"}};
  {  // a stranger in the same cgroup
    const auto stranger =
        arashi::testing::spawn({.argv = {"tail", "-f", "/dev/null"}, .cgroups = {site.hit.path()}, .netns = site.wire.victim().netns_path});
    const auto victim = the_victim(site.host, {"process", {{"pid", std::to_string(site.one.pid())}}});
    const auto text = refusal(site.host, victim, loss);
    CHECK_MESSAGE(has(text, "tail (pid"), text);
    CHECK_MESSAGE(has(text, "aim at the cgroup"), text);
  }
  const auto pings = refusal(site.host, site.victim(), {{"loss", "1%"}, {"direction", "both"}, {"protocol", "icmp"}});
  CHECK_MESSAGE(has(pings, "incoming icmp"), pings);
  // A machine with v1 alone: a root in which there is only a v1 hierarchy.
  const arashi::testing::Directory root;
  std::filesystem::create_directories(root.path() / "freezer");
  { std::ofstream(root.path() / "freezer" / "cgroup.procs"); }
  Host old = site.host;
  old.cgroup = root.path();
  const auto v1 = refusal(old, site.victim(), loss);
  CHECK_MESSAGE(has(v1, "has v1 alone"), v1);
  // A process of this machine's own namespace without a cgroup of its own.
  const auto own = own_netns(site.host);
  REQUIRE(own.has_value());
  const Victim machine{
      .kind = "process", .scope = Scope::process, .label = "init (pid 1)", .pid = 1, .netns = own->inode, .netns_path = own->path};
  const auto text = refusal(site.host, machine, loss);
  CHECK_MESSAGE(has(text, "no cgroup of its own"), text);
}
