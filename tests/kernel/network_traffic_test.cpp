// Which packets a fault hits: host names, DSCP, SCTP, seen by ping and by raw sockets.
#include "injector/host/netns.hpp"
#include "injector/host/worker.hpp"
#include "injector/network/names.hpp"
#include "tests/support/child.hpp"
#include "tests/support/network.hpp"

#include <arpa/inet.h>
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/socket.h>

#include <array>
#include <filesystem>
#include <fstream>

using namespace arashi;
using namespace arashi::test;

namespace {

// A host with workers, which host names need.
struct WorkingHost {
  Host host;
  std::unique_ptr<Workers> workers;
  WorkingHost() : workers(make_workers(host)) { host.workers = workers.get(); }
};

// /etc/netns/NAME/hosts, which is that namespace's own hosts file; gone with the test.
class Hosts {
 public:
  explicit Hosts(const Wire& wire)
      : directory_("/etc/netns/" + std::filesystem::path(wire.victim().netns_path).filename().string()),
        had_parent_(std::filesystem::exists("/etc/netns")) {
    std::filesystem::create_directories(directory_);
  }
  ~Hosts() {
    std::error_code ignored;
    std::filesystem::remove_all(directory_, ignored);
    if (!had_parent_) std::filesystem::remove("/etc/netns", ignored);
  }
  Hosts(const Hosts&) = delete;
  Hosts& operator=(const Hosts&) = delete;
  // A new file in the old one's place, as an editor does it.
  void say(const std::string& text) const {
    std::ofstream(directory_ / "hosts.new") << text;
    std::filesystem::rename(directory_ / "hosts.new", directory_ / "hosts");
  }

 private:
  std::filesystem::path directory_;
  bool had_parent_;
};

bool answers(const Wire& wire, const std::string& address) { return wire.here("ping -q -c 1 -W 1 " + address).exit == 0; }

Error refusal(const Host& host, const Wire& wire, const Json& given) {
  const auto& fault = *find_fault("network.impair");
  const auto prepared = fault.prepare(
      host, {.id = unique_id(), .experiment = "test", .victim = wire.victim(), .params = canonical(fault, given), .duration = {}});
  REQUIRE_FALSE(prepared.has_value());
  return prepared.error();
}

// Sends packets of SCTP's shape and counts those that arrive. The kernel needs no SCTP of its own for that.
class SctpPackets {
 public:
  explicit SctpPackets(const Wire& wire) {
    const Host host;
    const auto victim = wire.victim();
    const auto here = open_netns(host, {victim.netns_path, victim.netns});
    const auto there_path = victim.netns_path.substr(0, victim.netns_path.size() - 1) + "t";
    const Fd there(::open(there_path.c_str(), O_RDONLY | O_CLOEXEC));
    REQUIRE(here.has_value());
    const auto open_raw = [](Fd& fd) {
      return [&fd]() -> Result<void> {
        fd.reset(::socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, 132));
        return fd ? Result<void>() : sys_fail("open a raw socket");
      };
    };
    REQUIRE(inside(*here, open_raw(sender_)).has_value());
    REQUIRE(inside(there, open_raw(receiver_)).has_value());
  }

  int arrived(std::uint16_t port, int sent) const {
    sockaddr_in to{};
    to.sin_family = AF_INET;
    inet_pton(AF_INET, Wire::there_v4, &to.sin_addr);
    std::array<std::uint16_t, 6> head{htons(5000), htons(port), 0, 0, 0, 0};
    for (int i = 0; i < sent; ++i)
      REQUIRE(sendto(sender_.get(), head.data(), sizeof head, 0, reinterpret_cast<const sockaddr*>(&to), sizeof to) == sizeof head);
    int count = 0;
    std::array<char, 256> packet{};
    const auto all_came = [&] {
      while (recv(receiver_.get(), packet.data(), packet.size(), MSG_DONTWAIT) > 0) ++count;
      return count >= sent;
    };
    (void)arashi::testing::eventually(all_came, std::chrono::seconds(1));
    return count;
  }

 private:
  Fd sender_, receiver_;
};

}  // namespace

TEST_CASE("a host name as a peer is hit by what the namespace's own resolver says, and followed when that changes") {
  const Wire wire;
  const WorkingHost working;
  const Hosts hosts(wire);
  hosts.say("10.77.0.2 ledger.test\nfd77::2 ledger.test\n");
  const Injected fault(working.host, "network.partition", wire.victim(), Json{{"peers", {"ledger.test"}}});
  CHECK_FALSE(answers(wire, "10.77.0.2"));
  CHECK_FALSE(answers(wire, "fd77::2"));
  CHECK(answers(wire, "10.77.0.3"));
  hosts.say("10.77.0.3 ledger.test\n");
  bool followed = false;
  for (int i = 0; i < 60 && !followed; ++i) followed = answers(wire, "10.77.0.2");
  CHECK(followed);
  CHECK_FALSE(answers(wire, "10.77.0.3"));
  CHECK(answers(wire, "fd77::2"));
  const auto evidence = fault.observe();
  INFO(evidence.detail);
  CHECK(evidence.detail.find("ledger.test is 10.77.0.3 (changed 1 time)") != std::string::npos);
  hosts.say("");  // not answered: what it was stays
  shell("sleep 2.5");
  CHECK_FALSE(answers(wire, "10.77.0.3"));
  fault.revert();
  CHECK(answers(wire, "10.77.0.3"));
  CHECK_FALSE(working.workers->state(fault.prepared.change.at("impairment").at("id").get<std::string>() + ".names").alive);
}

TEST_CASE("a host name works for the tap backend, and as an exception") {
  const Wire wire;
  const WorkingHost working;
  const Hosts hosts(wire);
  hosts.say("10.77.0.3 probe.test\n10.77.0.2 ledger.test\n");
  {
    const Injected fault(working.host, "network.impair", wire.victim(),
                         Json{{"delay", "40ms"}, {"peers", {"ledger.test"}}, {"backend", "tap"}});
    CHECK(ping(wire, "-c 3 -i 0.1 10.77.0.2").least > 39);
    CHECK(ping(wire, "-c 3 -i 0.1 10.77.0.3").least < 20);
    hosts.say("10.77.0.3 ledger.test\n");
    bool followed = false;
    for (int i = 0; i < 60 && !followed; ++i) followed = ping(wire, "-c 2 -i 0.1 10.77.0.3").least > 39;
    CHECK(followed);
  }
  hosts.say("10.77.0.3 probe.test\n");
  const Injected fault(working.host, "network.partition", wire.victim(), Json{{"except", {"probe.test"}}});
  CHECK_FALSE(answers(wire, "10.77.0.2"));
  CHECK(answers(wire, "10.77.0.3"));
}

TEST_CASE("a host name that stands for nothing, or for who controls the experiment, is refused when it is planned") {
  const Wire wire;
  WorkingHost working;
  const Hosts hosts(wire);
  hosts.say("10.77.0.2 runner.test\n");
  auto error = refusal(working.host, wire, Json{{"loss", "1%"}, {"peers", {"no-such-host.invalid"}}});
  INFO(error.message);
  CHECK(error.blame == Blame::missing);
  CHECK(error.message.find("'no-such-host.invalid' stands for no address") != std::string::npos);
  working.host.control.runner_addresses = {"10.77.0.2"};
  error = refusal(working.host, wire, Json{{"loss", "1%"}, {"peers", {"runner.test"}}});
  CHECK(error.message.find("is the runner itself") != std::string::npos);
  working.host.control = {.agent_port = 7340, .runner_addresses = {}, .agent_addresses = {"10.77.0.2"}};
  error = refusal(working.host, wire, Json{{"loss", "1%"}, {"peers", {"10.77.0.2"}}});
  CHECK(error.message.find("is the agent itself") != std::string::npos);
  error = refusal(working.host, wire, Json{{"loss", "1%"}, {"protocol", "tcp"}, {"ports", {"7340"}}});
  CHECK(error.message.find("port 7340 is the agent's own") != std::string::npos);
}

TEST_CASE("only packets with the asked DSCP are hit, IPv4 and IPv6") {
  const Wire wire;
  const Host host;
  const Injected fault(host, "network.impair", wire.victim(), Json{{"loss", "100%"}, {"dscp", {"ef", "10"}}});
  for (const auto* address : {Wire::there_v4, Wire::there_v6}) {
    INFO(address);
    CHECK_FALSE(answers(wire, std::string("-Q 0xb8 ") + address));  // 46 << 2
    CHECK_FALSE(answers(wire, std::string("-Q 0xbb ") + address));  // the same with both ECN bits
    CHECK_FALSE(answers(wire, std::string("-Q 0x28 ") + address));  // 10 << 2
    CHECK(answers(wire, std::string("-Q 0x88 ") + address));
    CHECK(answers(wire, address));
  }
}

TEST_CASE("SCTP is a protocol with ports") {
  const Wire wire;
  const Host host;
  const SctpPackets packets(wire);
  REQUIRE(packets.arrived(36412, 20) == 20);
  const Injected fault(host, "network.impair", wire.victim(), Json{{"loss", "100%"}, {"protocol", "sctp"}, {"ports", {"36412"}}});
  CHECK(packets.arrived(36412, 20) == 0);
  CHECK(packets.arrived(36422, 20) == 20);
  CHECK(answers(wire, Wire::there_v4));
  CHECK(fault.observe().affected == 20);
}
