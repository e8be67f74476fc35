// network.partition between several ends, one way, and what becomes of connections that are open, seen by ping, the kernel's own counters
// and programs that hold connections.
#include "tests/support/lan.hpp"
#include "tests/support/machine.hpp"
#include "tests/support/network.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <sstream>

using namespace arashi;
using arashi::test::canonical;
using arashi::test::Injected;
using arashi::test::unique_id;
using arashi::testing::eventually;
using arashi::testing::Lan;
using arashi::testing::Namespace;
using namespace std::chrono_literals;

namespace {

Victim victim(const Namespace& netns) {
  return {.kind = "netns",
          .scope = Scope::netns,
          .label = "netns " + netns.name(),
          .netns = netns.inode(),
          .netns_path = netns.path().string()};
}

// Of /proc/net/snmp or snmp6: how many echo requests have arrived.
int echoes_at(const Namespace& netns) {
  const auto words = netns.run({"sh", "-c", "nstat -asz | awk '/IcmpInEchos |Icmp6InEchos /{print $2}'"}).output;
  std::istringstream text(words);
  int v4 = 0;
  int v6 = 0;
  text >> v4 >> v6;
  return v4 + v6;
}

// Sends every byte back, to any number of connections, by IPv4 and IPv6.
constexpr const char* echo_server = R"(
import socket, threading
s = socket.create_server(("::", 7001), family=socket.AF_INET6, dualstack_ipv6=True)
def serve(c):
    try:
        while (b := c.recv(100)): c.sendall(b)
    except OSError: pass
print("ready", flush=True)
while True: threading.Thread(target=serve, args=(s.accept()[0],), daemon=True).start()
)";

// One connection, on which a byte goes there and back every 50 ms; says how each went.
constexpr const char* echo_client = R"(
import errno, socket, sys, time
s = socket.create_connection((sys.argv[1], 7001), 3)
s.settimeout(1)
print("open", flush=True)
while True:
    try:
        s.sendall(b"x")
        print("ok" if s.recv(1) else "closed", flush=True)
    except TimeoutError: print("silent", flush=True)
    except OSError as e:
        print(errno.errorcode[e.errno], flush=True)
        break
    time.sleep(0.05)
)";

// What a client that opens a new connection is told within a second: "open", or why not.
std::string tries(const Namespace& from, const std::string& address) {
  constexpr const char* script = R"(
import errno, socket, sys
try:
    socket.create_connection((sys.argv[1], 7001), 1)
    print("open")
except TimeoutError: print("silent")
except OSError as e: print(errno.errorcode[e.errno])
)";
  auto said = from.run({"python3", "-c", script, address}).output;
  while (said.ends_with('\n')) said.pop_back();
  return said;
}

class Talk {
 public:
  Talk(const Namespace& from, const std::string& address) : client_(from.spawn({"python3", "-c", echo_client, address})) {
    REQUIRE(arashi::testing::read_line(client_) == "open");
    REQUIRE(arashi::testing::read_line(client_) == "ok");
  }
  // Whether this word comes within the time, after all that was said before.
  bool says(const std::string& word, Duration limit = 4s) {
    const auto end = boot_now() + limit;
    while (boot_now() < end) {
      const auto line = arashi::testing::read_line(client_, end - boot_now());
      if (!line) return false;
      if (*line == word) return true;
    }
    return false;
  }
  // So many round trips, one after the other, and nothing else.
  bool goes_on(int times = 10) {
    for (int i = 0; i < times; ++i)
      if (arashi::testing::read_line(client_, 2s) != "ok") return false;
    return true;
  }

 private:
  Child client_;
};

struct Three {
  Lan lan{{"pa", "pb", "pc"}};
  Host host;
  Child server;
  Child other_server;
  Three() : server(lan.end(1).spawn({"python3", "-c", echo_server})), other_server(lan.end(2).spawn({"python3", "-c", echo_server})) {
    REQUIRE(arashi::testing::read_line(server) == "ready");
    REQUIRE(arashi::testing::read_line(other_server) == "ready");
  }
  [[nodiscard]] Injected cut(Json given) const {
    if (!given.contains("peers")) given["peers"] = {Lan::v4(1), Lan::v6(1)};
    return Injected(host, "network.partition", victim(lan.end(0)), given);
  }
};

}  // namespace

TEST_CASE("a partition of one end of a network from another leaves the third one in touch with both, IPv4 and IPv6") {
  const Three three;
  {
    const auto fault = three.cut(Json::object());
    for (auto* address : {&Lan::v4, &Lan::v6}) {
      CHECK_FALSE(three.lan.reaches(0, address(1)));
      CHECK_FALSE(three.lan.reaches(1, address(0)));
      for (const std::size_t reachable : {0U, 1U}) CHECK(three.lan.reaches(2, address(reachable)));
      for (const std::size_t reachable : {0U, 1U}) CHECK(three.lan.reaches(reachable, address(2)));
    }
    CHECK(fault.observe().bit);
  }
  CHECK(three.lan.reaches(0, Lan::v4(1)));
  CHECK(three.lan.reaches(1, Lan::v6(0)));
}

TEST_CASE("a one-way partition: what the target sends is cut, what is sent to it arrives, and the other way round") {
  const Three three;
  const auto& target = three.lan.end(0);
  const auto& peer = three.lan.end(1);
  for (const bool egress : {true, false}) {
    INFO("egress ", egress);
    const auto fault = three.cut({{"direction", egress ? "egress" : "ingress"}});
    for (auto* address : {&Lan::v4, &Lan::v6}) {
      int before = echoes_at(peer);
      CHECK_FALSE(three.lan.reaches(0, address(1)));
      CHECK(echoes_at(peer) - before == (egress ? 0 : 1));
      before = echoes_at(target);
      CHECK_FALSE(three.lan.reaches(1, address(0)));
      CHECK(echoes_at(target) - before == (egress ? 1 : 0));
    }
    CHECK(three.lan.reaches(0, Lan::v4(2)));
  }
}

TEST_CASE("established: stall, as in a real partition: an open connection hangs and goes on afterwards") {
  const Three three;
  Talk talk(three.lan.end(0), Lan::v4(1));
  {
    const auto fault = three.cut(Json::object());
    CHECK(talk.says("silent"));
    CHECK(tries(three.lan.end(0), Lan::v4(1)) == "silent");
  }
  CHECK(talk.says("ok", 10s));
}

TEST_CASE("established: keep: open connections go on, whoever opened them, and no new one comes to be, IPv4 and IPv6") {
  const Three three;
  const auto back = three.lan.end(0).spawn({"python3", "-c", echo_server});
  REQUIRE(eventually([&] { return tries(three.lan.end(1), Lan::v4(0)) == "open"; }));
  for (const char* direction : {"both", "egress", "ingress"})
    for (auto* address : {&Lan::v4, &Lan::v6}) {
      INFO(direction, " ", address(1));
      Talk out(three.lan.end(0), address(1));
      Talk in(three.lan.end(1), address(0));
      const auto fault = three.cut({{"established", "keep"}, {"direction", direction}});
      CHECK(tries(three.lan.end(0), address(1)) == "silent");
      CHECK(tries(three.lan.end(1), address(0)) == "silent");
      CHECK(tries(three.lan.end(0), address(2)) == "open");
      CHECK(out.goes_on());
      CHECK(in.goes_on());
      CHECK_FALSE(three.lan.reaches(0, address(1)));  // what has no connection is cut all the same
    }
  CHECK(tries(three.lan.end(0), Lan::v4(1)) == "open");
}

TEST_CASE("established: reset: both ends of an open connection are told at once, then all is silent, and others go on") {
  const Three three;
  for (auto* address : {&Lan::v4, &Lan::v6}) {
    INFO(address(1));
    Talk cut(three.lan.end(0), address(1));
    Talk other(three.lan.end(0), address(2));
    Talk strangers(three.lan.end(2), address(1));
    const auto fault = three.cut({{"established", "reset"}});
    CHECK(cut.says("ECONNABORTED", 5s));
    CHECK(eventually([&] {
      return three.lan.end(1).run({"ss", "-Htn", "state", "established", "dst", "[" + address(0) + "]"}).output.empty();
    }));
    CHECK(tries(three.lan.end(0), address(1)) == "silent");
    CHECK(other.goes_on());
    CHECK(strangers.goes_on());
    const auto reset = std::ranges::find(fault.applied.values, "open connections reset", &Achieved::what);
    REQUIRE(reset != fault.applied.values.end());
    CHECK(reset->achieved == 1);
  }
  CHECK(tries(three.lan.end(0), Lan::v4(1)) == "open");
}

TEST_CASE("established: what has no connection is refused, with the reason") {
  const Three three;
  const auto& fault = *find_fault("network.partition");
  const auto refusal = [&](Json given) {
    given["peers"] = {Lan::v4(1)};
    const auto prepared = fault.prepare(
        three.host,
        {.id = unique_id(), .experiment = "test", .victim = victim(three.lan.end(0)), .params = canonical(fault, given), .duration = {}});
    REQUIRE_FALSE(prepared.has_value());
    CHECK(prepared.error().blame == Blame::input);
    return prepared.error().message;
  };
  CHECK(refusal({{"established", "keep"}, {"protocol", "udp"}}).find("which udp has none of") != std::string::npos);
  CHECK(refusal({{"established", "reset"}, {"protocol", "sctp"}}).find("for TCP") != std::string::npos);
  CHECK(refusal({{"established", "reset"}, {"dscp", {"ef"}}}).find("has no DSCP") != std::string::npos);
}
