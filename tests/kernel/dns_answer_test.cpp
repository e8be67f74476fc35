// dns.answer, seen by dig and getent; the real server is dnsmasq.
#include "tests/support/cgroups.hpp"
#include "tests/support/machine.hpp"
#include "tests/support/network.hpp"

#include <doctest/doctest.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <string>

using namespace arashi;
using namespace arashi::test;
using arashi::testing::eventually;
using namespace std::chrono_literals;

namespace {

// example.com and all below are 10.1.1.1 and fd00::1 at both of the peer's IPv4 addresses and its IPv6 address.
struct Resolver {
  const Wire& wire;
  arashi::testing::Directory directory;
  arashi::testing::Machine machine{directory.path()};
  explicit Resolver(const Wire& both) : wire(both) {
    const auto started = wire.in_there(
        "timeout 120 dnsmasq --no-daemon --no-resolv --no-hosts --conf-file=/dev/null --user=root --pid-file= --bind-interfaces "
        "--interface=eth0 "
        "--address=/example.com/10.1.1.1 --address=/example.com/fd00::1");
    REQUIRE(shell("sh -c '" + started + " >/dev/null 2>&1 &'").exit == 0);
    REQUIRE(eventually([&] { return asked("A db.example.com", "10.77.0.2").find("10.1.1.1") != std::string::npos; }, 10s));
  }
  [[nodiscard]] std::string dig(const std::string& query, const std::string& server) const {
    return wire.in_here("dig +time=3 +tries=1 +noedns @" + server + " " + query);
  }
  [[nodiscard]] std::string asked(const std::string& query, const std::string& server) const { return shell(dig(query, server)).text; }
  [[nodiscard]] Injected inject(const Json& given) const { return Injected(machine.host(), "dns.answer", wire.victim(), given); }
};

// A program that asks by one socket again and again, as nginx does, and writes a line for each answer: its code, or what went wrong.
class Asker {
 public:
  Asker(const Resolver& resolver, const char* server) : said_(resolver.directory.path() / "said") {
    const auto script = resolver.directory.path() / "asker.py";
    std::ofstream(script) << R"(import socket, sys, time
s = socket.socket(socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
s.connect((sys.argv[1], 53))
s.settimeout(5)
for n in range(1, 600):
    query = n.to_bytes(2, 'big') + b'\1\0\0\1\0\0\0\0\0\0\2db\7example\3com\0\0\1\0\1'
    try:
        s.send(query)
        answer = s.recv(512)
        print(answer[3] & 15 if answer[:2] == query[:2] else 'late', flush=True)
    except OSError as error:
        print(type(error).__name__, flush=True)
    time.sleep(0.02)
)";
    const auto command = "timeout 60 python3 " + script.string() + " " + server + " >" + said_.string() + " 2>&1";
    pid_ = std::stoi(shell("sh -c '" + resolver.wire.in_here(command) + " & echo $!'").text);
  }
  ~Asker() { ::kill(pid_, SIGTERM); }
  Asker(const Asker&) = delete;
  Asker& operator=(const Asker&) = delete;
  [[nodiscard]] std::string said() const { return shell("cat " + said_.string()).text; }
  // Whether it comes to hear this some times in a row.
  [[nodiscard]] bool hears(const std::string& code) const {
    return eventually([&] { return said().ends_with(code + "\n" + code + "\n" + code + "\n"); }, 20s);
  }

 private:
  std::filesystem::path said_;
  std::int32_t pid_ = -1;
};

// A server that takes two seconds for each answer, and a program that asks it once and writes the answer's code.
struct SlowExchange {
  arashi::testing::Directory directory;
  SlowExchange(const Wire& both, const char* server) : wire_(both), server_(server) {
    std::ofstream(directory.path() / "server.py") << R"(import socket, sys, time
s = socket.socket(socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
s.bind((sys.argv[1], 53))
print('up', flush=True)
while True:
    query, client = s.recvfrom(512)
    time.sleep(2)
    s.sendto(query[:2] + b'\x81\x80' + query[4:], client)
)";
    std::ofstream(directory.path() / "client.py") << R"(import socket, sys
s = socket.socket(socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET, socket.SOCK_DGRAM)
s.connect((sys.argv[1], 53))
s.settimeout(10)
s.send(b'\1\2\1\0\0\1\0\0\0\0\0\0\2db\7example\3com\0\0\1\0\1')
print(s.recv(512)[3] & 15, flush=True)
)";
    start(wire_.in_there(command("server")), "server");
    REQUIRE(eventually([&] { return said("server") == "up\n"; }, 10s));
  }
  void ask() const { start(wire_.in_here(command("client")), "client"); }
  [[nodiscard]] std::string heard() const { return said("client"); }

 private:
  [[nodiscard]] std::string command(const std::string& program) const {
    return "timeout 30 python3 " + (directory.path() / program).string() + ".py " + server_;
  }
  [[nodiscard]] std::string said(const std::string& program) const { return shell("cat " + (directory.path() / program).string()).text; }
  void start(const std::string& text, const std::string& program) const {
    REQUIRE(shell("sh -c '" + text + " >" + (directory.path() / program).string() + " 2>&1 &'").exit == 0);
  }
  const Wire& wire_;
  std::string server_;
};

bool has(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

Error refusal(const Host& host, const Victim& victim, const Json& given) {
  const auto& fault = *find_fault("dns.answer");
  const auto prepared =
      fault.prepare(host, {.id = unique_id(), .experiment = "test", .victim = victim, .params = canonical(fault, given), .duration = {}});
  REQUIRE_FALSE(prepared.has_value());
  return prepared.error();
}

}  // namespace

TEST_CASE("names that match do not resolve, others do, by UDP and TCP, over IPv4 and IPv6") {
  const Wire wire;
  const Resolver resolver(wire);
  const auto fault = resolver.inject({{"answer", "nxdomain"}, {"names", {"db.example.com", "*.cache.example.com"}}});
  CHECK_FALSE(fault.applied.bit);
  for (const char* server : {"10.77.0.2", "10.77.0.3", "fd77::2"})
    for (const std::string transport : {"", "+tcp "}) {
      INFO(server, " ", transport);
      CHECK(has(resolver.asked(transport + "A db.example.com", server), "status: NXDOMAIN"));
      CHECK(has(resolver.asked(transport + "AAAA DB.Example.com", server), "status: NXDOMAIN"));
      CHECK(has(resolver.asked(transport + "A one.cache.example.com", server), "status: NXDOMAIN"));
      CHECK(has(resolver.asked(transport + "A www.example.com", server), "10.1.1.1"));
      CHECK(has(resolver.asked(transport + "AAAA www.example.com", server), "fd00::1"));
    }
  REQUIRE(eventually([&] { return fault.observe().seen >= 30; }));
  CHECK(fault.observe().affected == 18);
  fault.revert();
  CHECK(has(resolver.asked("A db.example.com", "10.77.0.2"), "10.1.1.1"));
  CHECK(wire.here("nft list ruleset").text.empty());
}

TEST_CASE("another address, for A and AAAA, as a program that resolves sees it") {
  const Wire wire;
  const Resolver resolver(wire);
  const auto fault =
      resolver.inject({{"answer", "address"}, {"addresses", {"192.0.2.7", "192.0.2.8", "2001:db8::7"}}, {"names", {"*.example.com"}}});
  const auto v4 = resolver.asked("+short A db.example.com", "10.77.0.2");
  CHECK(v4 == "192.0.2.7\n192.0.2.8\n");
  CHECK(resolver.asked("+short AAAA db.example.com", "fd77::2") == "2001:db8::7\n");
  CHECK(resolver.asked("+short +tcp A db.example.com", "10.77.0.2") == v4);
  const auto other_type = resolver.asked("MX db.example.com", "10.77.0.2");
  CHECK(has(other_type, "status: NOERROR"));
  CHECK(has(other_type, "ANSWER: 0"));
  CHECK(resolver.asked("+short A example.com", "10.77.0.2") == "10.1.1.1\n");
  const auto resolv_conf = resolver.directory.path() / "resolv.conf";
  REQUIRE(shell("echo nameserver 10.77.0.2 >" + resolv_conf.string()).exit == 0);
  const auto seen =
      wire.here("unshare -m sh -c 'mount --bind " + resolv_conf.string() + " /etc/resolv.conf && getent ahosts db.example.com'").text;
  CHECK_MESSAGE(has(seen, "192.0.2.7"), seen);
  CHECK_MESSAGE(has(seen, "2001:db8::7"), seen);
}

TEST_CASE("failures, silence and delay, and only the types that are meant") {
  const Wire wire;
  const Resolver resolver(wire);
  {
    const auto fault = resolver.inject({{"answer", "servfail"}, {"types", {"AAAA"}}});
    CHECK(has(resolver.asked("AAAA db.example.com", "10.77.0.2"), "status: SERVFAIL"));
    CHECK(has(resolver.asked("A db.example.com", "10.77.0.2"), "10.1.1.1"));
  }
  {
    const auto fault = resolver.inject({{"answer", "timeout"}, {"peers", {"10.77.0.2"}}});
    CHECK(has(resolver.asked("A db.example.com", "10.77.0.2"), "timed out"));
    CHECK(has(resolver.asked("+tcp A db.example.com", "10.77.0.2"), "timed out"));
    CHECK(has(resolver.asked("A db.example.com", "10.77.0.3"), "10.1.1.1"));
  }
  const auto fault = resolver.inject({{"delay", "300ms"}});
  for (const std::string transport : {"", "+tcp "}) {
    const auto said = resolver.asked(transport + "A db.example.com", "10.77.0.2");
    CHECK(has(said, "10.1.1.1"));
    const auto at = said.find("Query time: ");
    REQUIRE(at != std::string::npos);
    CHECK(std::atoi(said.c_str() + at + 12) >= 298);  // dig rounds
  }
}

TEST_CASE("a share of the queries, and a worker that dies leaves names as they were") {
  const Wire wire;
  const Resolver resolver(wire);
  const auto fault = resolver.inject({{"answer", "nxdomain"}, {"share", "50%"}, {"seed", 4}});
  const auto names = shell("for i in $(seq 100); do echo a$i.example.com A; done > " + resolver.directory.path().string() + "/names").exit;
  REQUIRE(names == 0);
  const auto said =
      shell(wire.in_here("dig +time=3 +tries=1 @10.77.0.2 -f " + resolver.directory.path().string() + "/names | grep -c NXDOMAIN")).text;
  CHECK(std::atoi(said.c_str()) > 25);
  CHECK(std::atoi(said.c_str()) < 75);
  REQUIRE(::kill(resolver.machine.host().workers->state(fault.prepared.change["id"].get<std::string>()).pid, SIGKILL) == 0);
  REQUIRE(eventually([&] { return wire.here("nft list ruleset").text.empty(); }));
  for (int i = 0; i < 5; ++i) CHECK(has(resolver.asked("A db.example.com", "10.77.0.2"), "10.1.1.1"));
  const auto lost = find_fault("dns.answer")->observe(resolver.machine.host(), fault.prepared.change);
  REQUIRE_FALSE(lost.has_value());
  CHECK(lost.error().blame == Blame::missing);
}

TEST_CASE("a program that asks by one socket all its life is hit at once and loses no answer at the end, also beside other translations") {
  for (const bool translates : {false, true})
    for (const char* server : {"10.77.0.2", "fd77::2"}) {
      INFO("other translations: ", translates, ", server ", server);
      const Wire wire;
      const Resolver resolver(wire);
      if (translates)
        for (const char* tables : {"iptables", "ip6tables"})
          REQUIRE(wire.here(std::string(tables) + " -t nat -A OUTPUT -p tcp --dport 9 -j REDIRECT --to-ports 10").exit == 0);
      const Asker asker(resolver, server);
      REQUIRE(asker.hears("0"));
      for (int round = 0; round < 2; ++round) {
        const auto fault = resolver.inject({{"answer", "nxdomain"}});
        CHECK(asker.hears("3"));
        fault.revert();
        CHECK(asker.hears("0"));
      }
      const auto said = asker.said();
      CHECK_MESSAGE(said.find_first_not_of("03\n") == std::string::npos, said);
    }
}

TEST_CASE("at the end, queries that are held back or wait for a slow server get their answers from the server itself") {
  for (const char* server : {"10.77.0.2", "fd77::2"})
    for (const auto& given : {Json{{"delay", "30s"}}, Json{{"answer", "nxdomain"}, {"names", {"other.com"}}}}) {
      INFO("server ", server, ", ", to_text(given));
      const Wire wire;
      const SlowExchange exchange(wire, server);
      const arashi::testing::Machine machine(exchange.directory.path());
      const Injected fault(machine.host(), "dns.answer", wire.victim(), given);
      exchange.ask();
      REQUIRE(eventually([&] { return fault.observe().seen == 1; }, 5s));
      REQUIRE(exchange.heard().empty());
      fault.revert();
      CHECK(eventually([&] { return exchange.heard() == "0\n"; }, 10s));
      CHECK_MESSAGE(exchange.heard() == "0\n", exchange.heard());
    }
}

TEST_CASE("after a worker was killed, its redirection is forgotten by the revert") {
  const Wire wire;
  const Resolver resolver(wire);
  REQUIRE(wire.here("iptables -t nat -A OUTPUT -p tcp --dport 9 -j REDIRECT --to-ports 10").exit == 0);
  const auto fault = resolver.inject({{"answer", "nxdomain"}});
  const Asker asker(resolver, "10.77.0.2");
  REQUIRE(asker.hears("3"));
  REQUIRE(::kill(resolver.machine.host().workers->state(fault.prepared.change["id"].get<std::string>()).pid, SIGKILL) == 0);
  CHECK(asker.hears("ConnectionRefusedError"));  // the kernel remembers where it went
  fault.revert();
  CHECK(asker.hears("0"));
}

TEST_CASE("of a cgroup only its own processes are hit, in a namespace that others share") {
  const Wire wire;
  const Resolver resolver(wire);
  const arashi::testing::Cgroup cgroup;
  auto victim = wire.victim();
  victim.kind = "cgroup";
  victim.scope = Scope::cgroup;
  victim.cgroup_path = cgroup.path().string();
  const Injected fault(resolver.machine.host(), "dns.answer", victim, Json{{"answer", "nxdomain"}});
  const auto within = [&](const std::string& command) {
    return shell("sh -c 'echo $$ > " + cgroup.path().string() + "/cgroup.procs && exec " + command + "'").text;
  };
  CHECK(has(within(resolver.dig("A db.example.com", "10.77.0.2")), "status: NXDOMAIN"));
  CHECK(has(within(resolver.dig("+tcp A db.example.com", "fd77::2")), "status: NXDOMAIN"));
  CHECK(has(resolver.asked("A db.example.com", "10.77.0.2"), "10.1.1.1"));
}

TEST_CASE("what dns.answer cannot do is refused with the reason") {
  const Wire wire;
  const Host host;
  const auto says = [&](const Json& given, const char* part) {
    const auto error = refusal(host, wire.victim(), given);
    INFO(error.message);
    CHECK(error.blame == Blame::input);
    CHECK(has(error.message, part));
  };
  says(Json::object(), "nothing is asked for");
  says({{"answer", "address"}}, "needs addresses");
  says({{"answer", "nxdomain"}, {"addresses", {"192.0.2.1"}}}, "not for answer: nxdomain");
  says({{"answer", "address"}, {"addresses", {"192.0.2.0/24"}}}, "is a block");
  says({{"answer", "timeout"}, {"delay", "1s"}}, "gives no answer");
  says({{"answer", "nxdomain"}, {"names", {"a b"}}}, "is not a name");
  says({{"answer", "nxdomain"}, {"names", {"a..b"}}}, "empty part");
  says({{"answer", "nxdomain"}, {"types", {"AAAAA"}}}, "no type of DNS record");
  says({{"answer", "nxdomain"}, {"peers", {"resolver.example"}}}, "'resolver.example' is a host name");
  says({{"answer", "nxdomain"}, {"peers", Json::array()}}, "an empty list names nobody");
  REQUIRE(wire.here("ip link set lo down").exit == 0);
  CHECK(has(refusal(host, wire.victim(), {{"answer", "nxdomain"}}).message, "loopback"));
}
