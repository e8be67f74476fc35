// A host name as a peer moves to another address while the fault is active and requests go on: seen by the times of the requests
// themselves. The name is served by a real dnsmasq.
#include "tests/support/machine.hpp"
#include "tests/support/namespaces.hpp"
#include "tests/support/network.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

using namespace arashi;
using arashi::test::Injected;
using arashi::test::Wire;
using arashi::testing::Directory;
using arashi::testing::eventually;
using arashi::testing::Machine;
using namespace std::chrono_literals;

namespace {

// A request every 20 ms over a connection of its own, to its end; per line when it ended (CLOCK_BOOTTIME, s) and what it took (ms), -1 for
// one that failed.
constexpr const char* load = R"(
import socket, sys, time
while True:
    begun = time.clock_gettime(time.CLOCK_BOOTTIME)
    try:
        with socket.create_connection((sys.argv[1], 7001), 10) as s:
            s.sendall(b"GET / HTTP/1.0\r\n\r\n")
            while s.recv(4096): pass
        took = (time.clock_gettime(time.CLOCK_BOOTTIME) - begun) * 1000
    except OSError: took = -1
    print(time.clock_gettime(time.CLOCK_BOOTTIME), took, flush=True)
    time.sleep(0.02)
)";

struct Request {
  Duration ended{};
  double took = 0;
};

class Load {
 public:
  Load(const std::string& netns, const std::string& address)
      : child_(arashi::testing::spawn({.argv = {"python3", "-c", load, address}, .netns = netns})) {}
  std::vector<Request> all() {
    child_.signal(SIGTERM);
    std::vector<Request> requests;
    while (const auto line = arashi::testing::read_line(child_, 2s)) {
      double ended = 0;
      Request one;
      if (std::sscanf(line->c_str(), "%lf %lf", &ended, &one.took) != 2) continue;
      one.ended = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(ended));
      requests.push_back(one);
    }
    return requests;
  }

 private:
  Child child_;
};

struct Tally {
  std::size_t late = 0, quick = 0, failed = 0;
};

// Of those that began and ended within a time.
Tally within(const std::vector<Request>& requests, Duration from, Duration to, double late) {
  Tally tally;
  for (const auto& each : requests) {
    const auto began =
        each.ended - std::chrono::duration_cast<Duration>(std::chrono::duration<double, std::milli>(std::max(each.took, 0.0)));
    if (began < from || each.ended > to) continue;
    ++(each.took < 0 ? tally.failed : each.took >= late ? tally.late : tally.quick);
  }
  return tally;
}

// dnsmasq beside the two services, on the peer's side; the target asks it.
class Names {
 public:
  explicit Names(const Wire& wire) : overlay_(std::filesystem::path("/etc/netns") / std::filesystem::path(wire.path_here()).filename()) {
    std::filesystem::create_directories(overlay_);
    { std::ofstream(overlay_ / "resolv.conf") << "nameserver 10.77.0.2\n"; }
    say("10.77.0.2");
    server_.emplace(arashi::testing::spawn({.argv = {"dnsmasq", "--no-daemon", "--no-resolv", "--no-hosts", "--conf-file=/dev/null",
                                                     "--user=root", "--pid-file=", "--bind-interfaces", "--interface=eth0", "--local-ttl=0",
                                                     "--addn-hosts=" + (directory_.path() / "names").string()},
                                            .netns = wire.path_there()}));
    REQUIRE(eventually([&] { return wire.here("getent ahostsv4 service.test").text.find("10.77.0.2") != std::string::npos; }, 10s));
  }
  ~Names() {
    std::error_code ignored;
    std::filesystem::remove_all(overlay_, ignored);
  }
  Names(const Names&) = delete;
  Names& operator=(const Names&) = delete;
  void move(const std::string& address) {
    say(address);
    server_->signal(SIGHUP);
  }

 private:
  void say(const std::string& address) const { std::ofstream(directory_.path() / "names") << address << " service.test\n"; }
  Directory directory_;
  std::filesystem::path overlay_;
  std::optional<Child> server_;
};

}  // namespace

TEST_CASE("a name that moves under load: requests to its new address are hit, those to the old one not any more, and none is lost") {
  const Wire wire;
  Names names(wire);
  const Directory directory;
  const Machine machine(directory.path());
  const auto service = arashi::testing::spawn({.argv = {"python3", "-m", "http.server", "7001"}, .netns = wire.path_there()});
  REQUIRE(eventually([&] { return wire.here("nc -z -w 1 10.77.0.2 7001").exit == 0; }, 20s));
  Load first(wire.path_here(), "10.77.0.2");
  Load second(wire.path_here(), "10.77.0.3");
  arashi::test::shell("sleep 1");
  const Injected fault(machine.host(), "network.impair", wire.victim(),
                       Json{{"delay", "60ms"}, {"peers", {"service.test"}}, {"protocol", "tcp"}, {"ports", {"7001"}}});
  const auto begun = boot_now();
  arashi::test::shell("sleep 2");
  const auto moved = boot_now();
  names.move("10.77.0.3");
  REQUIRE(eventually([&] { return fault.observe().detail.find("service.test is 10.77.0.3") != std::string::npos; }, 10s));
  const auto followed = boot_now();
  arashi::test::shell("sleep 2");
  const auto ended = boot_now();
  fault.revert();
  arashi::test::shell("sleep 1");
  const auto old_ones = first.all();
  const auto new_ones = second.all();
  // Asked every 2 s, and told at most 200 ms later. Each request makes two ways, so it takes 120 ms at least.
  CHECK(followed - moved < 8s);
  const auto old_before = within(old_ones, begun, moved, 119);
  const auto new_before = within(new_ones, begun, moved, 119);
  const auto old_after = within(old_ones, followed, ended, 119);
  const auto new_after = within(new_ones, followed, ended, 119);
  CHECK(old_before.late > 5);
  CHECK(old_before.quick == 0);
  CHECK(new_before.late * 3 <= new_before.quick);  // a busy machine may be late by itself
  CHECK(new_before.quick > 10);
  CHECK(new_after.late > 5);
  CHECK(new_after.quick == 0);
  CHECK(old_after.late * 3 <= old_after.quick);
  CHECK(old_after.quick > 10);
  for (const auto* all : {&old_ones, &new_ones}) CHECK(within(*all, Duration{}, boot_now(), 119).failed == 0);
}
