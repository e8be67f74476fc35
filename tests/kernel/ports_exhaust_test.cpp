// ports.exhaust, seen by programs that open connections (curl, python3) and by ss.
#include "injector/host/ephemeral_ports.hpp"
#include "tests/support/lan.hpp"
#include "tests/support/machine.hpp"
#include "tests/support/network.hpp"

#include <doctest/doctest.h>

#include <csignal>

using namespace arashi;
using arashi::test::canonical;
using arashi::test::Injected;
using arashi::test::unique_id;
using arashi::testing::Directory;
using arashi::testing::eventually;
using arashi::testing::Machine;
using arashi::testing::Pair;
using namespace std::chrono_literals;

namespace {

// How each of several attempts ended, one per line: a TCP connection, a UDP one, and a socket that is given any port.
constexpr const char* attempts = R"(
import errno, socket, sys
def tried(what, act):
    try: act(); print(what, "ok")
    except OSError as e: print(what, errno.errorcode[e.errno])
for family, address in ((socket.AF_INET, sys.argv[1]), (socket.AF_INET6, sys.argv[2])):
    tried("tcp", lambda: socket.create_connection((address, 7001), 2))
    tried("udp", lambda: socket.socket(family, socket.SOCK_DGRAM).connect((address, 7001)))
    tried("any", lambda: socket.socket(family).bind(("", 0)))
)";

struct Site {
  Pair pair;
  Directory directory;
  Machine machine{directory.path()};
  Child server = pair.right.spawn({"python3", "-m", "http.server", "7001", "--bind", "::"});
  Site() {
    REQUIRE(eventually([&] { return tried().starts_with("tcp ok"); }, 20s));
  }
  [[nodiscard]] Victim victim() const {
    return {.kind = "netns",
            .scope = Scope::netns,
            .label = "netns " + pair.left.name(),
            .netns = pair.left.inode(),
            .netns_path = pair.left.path().string()};
  }
  [[nodiscard]] std::string tried() const { return pair.left.run({"python3", "-c", attempts, Pair::right_v4, Pair::right_v6}).output; }
  [[nodiscard]] int curl_exit() const {
    return pair.left.run({"curl", "-sS", "--noproxy", "*", "-o", "/dev/null", "http://10.99.0.2:7001/"}).exit_code;
  }
  [[nodiscard]] Injected inject(const Json& given) const { return Injected(machine.host(), "ports.exhaust", victim(), given); }
  void range(const std::string& text) const {
    REQUIRE(pair.left.run({"sysctl", "-qw", "net.ipv4.ip_local_port_range=" + text}).exit_code == 0);
  }
  [[nodiscard]] std::int32_t worker(const Injected& fault) const {
    return machine.host().workers->state(fault.prepared.change["id"].get<std::string>()).pid;
  }
};

constexpr const char* all_well = "tcp ok\nudp ok\nany ok\ntcp ok\nudp ok\nany ok\n";

}  // namespace

TEST_CASE("no ephemeral TCP port: connect and bind fail with the kernel's own errors, IPv4 and IPv6, and all is well afterwards") {
  const Site site;
  {
    const auto fault = site.inject(Json::object());
    CHECK(fault.applied.in_place);
    CHECK(fault.applied.bit);
    CHECK(fault.applied.values.at(0).achieved == 28232);
    CHECK(site.tried() == "tcp EADDRNOTAVAIL\nudp ok\nany EADDRINUSE\ntcp EADDRNOTAVAIL\nudp ok\nany EADDRINUSE\n");
    const auto curl = site.pair.left.run({"curl", "-sS", "--noproxy", "*", "http://10.99.0.2:7001/"});
    CHECK(curl.exit_code == 7);
    CHECK(site.pair.right.run({"sh", "-c", "nc -z -w 2 10.99.0.1 9; test $? -eq 1"}).exit_code == 0);  // who comes in is answered
  }
  CHECK(site.tried() == all_well);
  CHECK(site.curl_exit() == 0);
  CHECK(site.pair.left.run({"ss", "-Hatn", "src", "127.87.0.0/16"}).output.empty());
}

TEST_CASE("open connections go on, their ports are not given to others, and both is over with the fault") {
  const Site site;
  site.range("40000 40009");
  constexpr const char* talker = R"(
import socket, sys
s = socket.create_connection(("10.99.0.2", 7001))
print("open", flush=True)
sys.stdin.readline()
s.sendall(b"GET / HTTP/1.0\r\n\r\n")
print(s.recv(12).decode(), flush=True)
)";
  auto talk = arashi::testing::spawn({.argv = {"python3", "-c", talker}, .netns = site.pair.left.path(), .piped_input = true});
  REQUIRE(arashi::testing::read_line(talk) == "open");
  {
    const auto fault = site.inject({{"protocol", "both"}});
    CHECK(fault.applied.in_place);
    CHECK(fault.applied.values.at(0).achieved == 20);
    CHECK(site.tried() == "tcp EADDRNOTAVAIL\nudp EAGAIN\nany EADDRINUSE\ntcp EADDRNOTAVAIL\nudp EAGAIN\nany EADDRINUSE\n");
    talk.input().reset();
    CHECK(arashi::testing::read_line(talk) == "HTTP/1.0 200");
  }
  CHECK(site.tried() == all_well);
}

TEST_CASE("some are left: as many sockets get a port as are free, and reserved ports are not counted") {
  const Site site;
  site.range("40000 40099");
  REQUIRE(site.pair.left.run({"sysctl", "-qw", "net.ipv4.ip_local_reserved_ports=40090-40099"}).exit_code == 0);
  const auto fault = site.inject({{"free", 3}});
  CHECK(fault.applied.in_place);
  CHECK(fault.applied.values.at(0).requested == 87);
  constexpr const char* many = R"(
import socket
got = []
try:
    for i in range(10):
        got.append(socket.socket()); got[-1].bind(("", 0))
except OSError: got.pop()
print(len(got))
)";
  CHECK(site.pair.left.run({"python3", "-c", many}).output == "3\n");
  CHECK(site.curl_exit() == 0);
}

TEST_CASE("a port that others let go is taken too, and when the worker is killed all are free") {
  const Site site;
  site.range("40000 40009");
  auto listener = site.pair.left.spawn({"nc", "-l", "40004"});
  REQUIRE(eventually([&] {
    return site.pair.left.run({"ss", "-Hltn", "sport", "=", ":40004"}).output.find("40004") != std::string::npos;
  }));
  const auto fault = site.inject(Json::object());
  CHECK(fault.applied.affected == 9);
  CHECK(fault.applied.in_place);
  listener.signal(SIGKILL);
  CHECK(eventually([&] { return fault.observe().affected == 10; }));
  CHECK(site.curl_exit() == 7);
  REQUIRE(::kill(site.worker(fault), SIGKILL) == 0);
  CHECK(eventually([&] { return site.tried() == all_well; }, 10s));
  const auto lost = find_fault("ports.exhaust")->observe(site.machine.host(), fault.prepared.change);
  REQUIRE_FALSE(lost.has_value());
  CHECK(lost.error().blame == Blame::missing);
}

TEST_CASE("what ports.exhaust cannot do is refused with the reason") {
  const Site site;
  const auto& fault = *find_fault("ports.exhaust");
  const auto refusal = [&](const Host& host, const Victim& victim, const Json& given) {
    const auto prepared =
        fault.prepare(host, {.id = unique_id(), .experiment = "test", .victim = victim, .params = canonical(fault, given), .duration = {}});
    REQUIRE_FALSE(prepared.has_value());
    return prepared.error().message;
  };
  const auto has = [](const std::string& text, const char* part) { return text.find(part) != std::string::npos; };
  CHECK(has(refusal(site.machine.host(), site.victim(), {{"free", 5}, {"share", "50%"}}), "not both"));
  CHECK(has(refusal(site.machine.host(), site.victim(), {{"free", 65535}}), "nothing would be taken"));
  auto host = site.machine.host();
  host.control.runner_addresses = {Pair::left_v4};
  CHECK(has(refusal(host, site.victim(), Json::object()), "is in this network namespace"));
}

TEST_CASE("the ephemeral ports of two sysctls") {
  CHECK(ephemeral_from("32768\t60999\n", "\n")->size() == 28232);
  CHECK(*ephemeral_from("10 15", "11,13-14\n") == std::vector<std::uint16_t>{10, 12, 15});
  CHECK(ephemeral_from("65535 65535", "")->size() == 1);
  for (const char* wrong : {"", "9", "9 8", "0 9", "1 65536", "a b"}) CHECK_FALSE(ephemeral_from(wrong, "").has_value());
  CHECK_FALSE(ephemeral_from("1 9", "x").has_value());
}
