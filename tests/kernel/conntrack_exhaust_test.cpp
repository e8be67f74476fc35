// conntrack.exhaust, seen by programs that open connections (python3) and by /proc/sys/net/netfilter of the namespaces.
#include "injector/host/conntrack_table.hpp"
#include "injector/host/netns.hpp"
#include "tests/support/lan.hpp"
#include "tests/support/machine.hpp"
#include "tests/support/network.hpp"

#include <doctest/doctest.h>

#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <csignal>
#include <cstdlib>

using namespace arashi;
using arashi::test::canonical;
using arashi::test::Injected;
using arashi::test::unique_id;
using arashi::testing::Directory;
using arashi::testing::eventually;
using arashi::testing::Machine;
using arashi::testing::Namespace;
using arashi::testing::Pair;
using namespace std::chrono_literals;

namespace {

// A new TCP connection, and a datagram from a new socket: how each ended, one per line.
constexpr const char* attempts = R"(
import errno, socket, sys
def tried(act):
    try: act(); print("ok")
    except TimeoutError: print("silent")
    except OSError as e: print(errno.errorcode[e.errno])
tried(lambda: socket.create_connection((sys.argv[1], 7001), 1))
tried(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", (sys.argv[1], 7001)))
)";

constexpr const char* talker = R"(
import socket, sys
s = socket.create_connection(("10.99.0.2", 7001))
print("open", flush=True)
sys.stdin.readline()
s.settimeout(3)
s.sendall(b"GET / HTTP/1.0\r\n\r\n")
print(s.recv(12).decode(), flush=True)
)";

void track(const Namespace& netns) {
  const auto made = netns.run({"nft",
                               "add table inet watched; add chain inet watched out { type filter hook output priority 0; }; "
                               "add rule inet watched out ct state invalid counter"});
  REQUIRE_MESSAGE(made.exit_code == 0, made.output);
}

std::uint64_t number(const Namespace& netns, const std::string& name) {
  return std::strtoull(netns.run({"cat", "/proc/sys/net/netfilter/nf_conntrack_" + name}).output.c_str(), nullptr, 10);
}

struct Site {
  Pair pair;
  Directory directory;
  Machine machine{directory.path()};
  Child server = pair.right.spawn({"python3", "-m", "http.server", "7001", "--bind", "::"});
  Site() {
    track(pair.left);
    track(pair.right);
    REQUIRE(eventually([&] { return tried() == "ok\nok\n"; }, 20s));
  }
  [[nodiscard]] Victim victim() const {
    return {.kind = "netns",
            .scope = Scope::netns,
            .label = "netns " + pair.left.name(),
            .netns = pair.left.inode(),
            .netns_path = pair.left.path().string()};
  }
  [[nodiscard]] std::string tried() const { return pair.left.run({"python3", "-c", attempts, Pair::right_v4}).output; }
  [[nodiscard]] Injected inject(const Json& given) const { return Injected(machine.host(), "conntrack.exhaust", victim(), given); }
  [[nodiscard]] std::uint64_t count() const { return number(pair.left, "count"); }
  [[nodiscard]] std::uint64_t most() const { return number(pair.left, "max"); }
};

netlink::Socket netfilter_in(const Namespace& netns) {
  const auto there = open_netns(Host{}, {netns.path().string(), netns.inode()});
  auto socket = netlink::Socket::open(*there, netlink::Socket::Family::netfilter);
  REQUIRE(socket);
  return std::move(*socket);
}

// Takes every entry out of the namespace's table, as `conntrack -F` does.
void flush(const Namespace& netns) {
  auto socket = netfilter_in(netns);
  const auto ack = socket.change(netlink::Message(NFNL_SUBSYS_CTNETLINK << 8U | IPCTNL_MSG_CT_DELETE, 0).header(nfgenmsg{}));
  REQUIRE(ack);
  REQUIRE(ack->code == 0);
}

}  // namespace

TEST_CASE("a full table: new connections are dropped, open ones go on, other namespaces are not hit, and all is well afterwards") {
  const Site site;
  auto talk = arashi::testing::spawn({.argv = {"python3", "-c", talker}, .netns = site.pair.left.path(), .piped_input = true});
  REQUIRE(arashi::testing::read_line(talk) == "open");
  const auto before = site.count();
  {
    const auto fault = site.inject(Json::object());
    CHECK(fault.applied.in_place);
    CHECK_FALSE(fault.applied.bit);                                  // nobody has come yet
    CHECK(eventually([&] { return site.count() == site.most(); }));  // others' entries end meanwhile, and are replaced
    const auto tried = site.tried();
    CHECK_MESSAGE((tried == "silent\nEPERM\n" || tried == "EPERM\nEPERM\n"), tried);
    CHECK(eventually([&] { return fault.observe().affected >= 2; }));
    CHECK(fault.observe().bit);
    talk.input().reset();
    CHECK(arashi::testing::read_line(talk) == "HTTP/1.0 200");
    CHECK(number(site.pair.right, "count") < 100);
    CHECK(site.pair.right.run({"python3", "-c", attempts, Pair::right_v4}).output == "ok\nok\n");
  }
  CHECK(site.count() <= before + 10);
  CHECK(site.tried() == "ok\nok\n");
}

TEST_CASE("a table that is half full, or has room for a few: who fits in gets through, and the others do not") {
  const Site site;
  {
    const auto fault = site.inject({{"share", "50%"}});
    CHECK(fault.applied.in_place);
    CHECK(fault.applied.bit);
    CHECK(site.count() >= site.most() / 2);
    CHECK(site.count() < site.most() / 2 + 100);
    CHECK(site.tried() == "ok\nok\n");
  }
  const auto fault = site.inject({{"free", 5}});
  constexpr const char* many = R"(
import socket, sys
got = 0
kept = []
for i in range(20):
    kept.append(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
    try: kept[-1].sendto(b"x", (sys.argv[1], 7001)); got += 1
    except OSError: pass
print(got)
)";
  const int got = std::atoi(site.pair.left.run({"python3", "-c", many, Pair::right_v4}).output.c_str());
  CHECK(got >= 5);
  CHECK(got <= 12);  // of 20: entries of others that end meanwhile make room too, until the worker looks again
}

TEST_CASE("the table stays full: when others' entries end, and when someone empties it") {
  const Site site;
  const auto fault = site.inject({{"free", 0}});
  flush(site.pair.left);
  CHECK(eventually([&] { return site.count() == site.most(); }, 60s));
  CHECK(site.tried().find("ok") == std::string::npos);
}

TEST_CASE("the table stays full when someone takes a part of the entries away, as a flush does that meets the worker at its work") {
  const Site site;
  const auto fault = site.inject({{"share", "10%"}});
  const auto wanted = fault.prepared.change["wanted"].get<std::uint64_t>();
  auto socket = netfilter_in(site.pair.left);
  REQUIRE(site.count() >= wanted);
  REQUIRE(Fillers(socket, fault.prepared.change["id"].get<std::string>()).remove(5000, wanted / 4));
  CHECK(eventually([&] { return site.count() >= wanted; }, 60s));
}

TEST_CASE("a worker that is killed leaves entries that end soon, and the revert takes exactly them") {
  const Site site;
  const auto fault = site.inject({{"share", "10%"}});
  const auto id = fault.prepared.change["id"].get<std::string>();
  const auto lived = site.pair.left.run({"sh", "-c", "grep -c 'src=198.18' /proc/net/nf_conntrack"}).output;
  CHECK(std::strtoull(lived.c_str(), nullptr, 10) >= site.most() / 10 - 10);
  const auto longest =
      site.pair.left.run({"sh", "-c", "awk '/src=198.18/ && $5 > m {m = $5} END {print m}' /proc/net/nf_conntrack"}).output;
  CHECK(std::strtoul(longest.c_str(), nullptr, 10) <= 30);
  REQUIRE(::kill(site.machine.host().workers->state(id).pid, SIGKILL) == 0);
  CHECK(eventually([&] { return !find_fault("conntrack.exhaust")->observe(site.machine.host(), fault.prepared.change).has_value(); }));
  CHECK(site.count() > site.most() / 20);
  REQUIRE(site.tried() == "ok\nok\n");
  fault.revert();
  CHECK(site.pair.left.run({"sh", "-c", "grep -c 'src=198.18' /proc/net/nf_conntrack"}).output == "0\n");
  CHECK(site.count() > 0);  // the entries of others are still there
}

TEST_CASE("what conntrack.exhaust cannot do is refused with the reason") {
  const Site site;
  const auto& fault = *find_fault("conntrack.exhaust");
  const auto refusal = [&](const Host& host, const Victim& victim, const Json& given) {
    const auto prepared =
        fault.prepare(host, {.id = unique_id(), .experiment = "test", .victim = victim, .params = canonical(fault, given), .duration = {}});
    REQUIRE_FALSE(prepared.has_value());
    return prepared.error();
  };
  const auto says = [](const Error& error, const char* part) {
    CHECK_MESSAGE(error.message.find(part) != std::string::npos, error.message);
  };
  auto host = site.machine.host();
  says(refusal(host, site.victim(), {{"free", 5}, {"share", "50%"}}), "not both");
  says(refusal(host, site.victim(), {{"free", 1000000000}}), "nothing would be taken");
  const Namespace idle;
  const Victim other{
      .kind = "netns", .scope = Scope::netns, .label = "netns " + idle.name(), .netns = idle.inode(), .netns_path = idle.path().string()};
  const auto untracked = refusal(host, other, Json::object());
  CHECK(untracked.blame == Blame::unsupported);
  says(untracked, "no rule asks for it");
  host.control.runner_addresses = {Pair::left_v6};
  says(refusal(host, site.victim(), Json::object()), "is in this network namespace");
  host.control.agent_port = 7443;
  const auto own = own_netns(host);
  REQUIRE(own);
  says(refusal(host, {.kind = "node", .scope = Scope::node, .label = "this machine", .netns = own->inode, .netns_path = own->path},
               Json::object()),
       "the agent is in this network namespace");
}
