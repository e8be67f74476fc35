// A device whose packets have no Ethernet header, as a VPN's has: its other end is this test, which answers pings.
#include "agent/workers/tap_worker.hpp"
#include "injector/core/fd.hpp"
#include "injector/host/netns.hpp"
#include "tests/support/forked_workers.hpp"
#include "tests/support/network.hpp"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <thread>

using namespace arashi;
using namespace arashi::test;

namespace {

using Packet = std::array<unsigned char, 2048>;

// An echo request over IPv4 becomes its reply: the addresses change places, and the checksum makes up for the other type.
bool turn_round(Packet& packet) {
  const std::size_t icmp = std::size_t{packet[0] & 15U} * 4;
  if (packet[0] >> 4U != 4 || packet[9] != 1 || packet.at(icmp) != 8) return false;
  std::swap_ranges(packet.begin() + 12, packet.begin() + 16, packet.begin() + 16);
  packet.at(icmp) = 0;
  unsigned sum = (packet.at(icmp + 2) << 8U | packet.at(icmp + 3)) + 0x800U;
  sum = (sum & 0xffffU) + (sum >> 16U);
  packet.at(icmp + 2) = static_cast<unsigned char>(sum >> 8U);
  packet.at(icmp + 3) = static_cast<unsigned char>(sum);
  return true;
}

class Vpn {
 public:
  explicit Vpn(const Wire& wire) {
    const auto netns = open_netns(Host{}, {wire.victim().netns_path, wire.victim().netns});
    REQUIRE(netns.has_value());
    const auto made = inside(*netns, [this]() -> Result<void> {
      fd_ = Fd(::open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK));
      ifreq request{};
      request.ifr_flags = IFF_TUN | IFF_NO_PI;
      std::strncpy(request.ifr_name, "vpn0", sizeof request.ifr_name - 1);
      if (!fd_ || ioctl(fd_.get(), TUNSETIFF, &request) != 0) return sys_fail("make a tun device");
      return {};
    });
    REQUIRE(made.has_value());
    REQUIRE(wire.here("sh -c 'ip addr add 10.66.0.1/24 dev vpn0 && ip link set vpn0 up'").exit == 0);
    answering_ = std::jthread([this](const std::stop_token& stop) {
      while (!stop.stop_requested()) answer();
    });
  }

 private:
  void answer() const {
    pollfd wait{fd_.get(), POLLIN, 0};
    constexpr int patience_ms = 20;
    if (::poll(&wait, 1, patience_ms) <= 0) return;
    Packet packet{};
    const auto length = ::read(fd_.get(), packet.data(), packet.size());
    if (length > 0 && turn_round(packet)) [[maybe_unused]]
      const auto written = ::write(fd_.get(), packet.data(), static_cast<std::size_t>(length));
  }

  Fd fd_;
  std::jthread answering_;
};

}  // namespace

TEST_CASE("delay and loss on a device without Ethernet frames, both ways") {
  const Wire wire;
  const Vpn vpn(wire);
  ForkedWorkers workers{arashi::workers::hold_packets};
  Host host;
  host.workers = &workers;
  for (const auto& way : {std::pair{"egress", 1}, std::pair{"ingress", 1}, std::pair{"both", 2}}) {
    const auto* const direction = way.first;
    const int factor = way.second;
    const Injected fault(host, "network.impair", wire.victim(),
                         Json{{"delay", "30ms"}, {"direction", direction}, {"device", "vpn0"}, {"backend", "tap"}});
    const auto pings = ping(wire, "-i 0.02 -c 20 -W 2 10.66.0.9");
    INFO(direction);
    CHECK(pings.received == 20);
    CHECK(pings.least > 30 * factor - 0.3);
    CHECK(pings.least < 30 * factor + 20);
    CHECK(fault.observe().bit);
  }
  const Injected cut(host, "network.partition", wire.victim(), Json{{"peers", {"10.66.0.9"}}, {"direction", "egress"}});
  CHECK(wire.here("ping -q -c 2 -i 0.1 -W 1 10.66.0.9").exit == 1);
  CHECK(ping(wire, "-i 0.02 -c 5 -W 1 10.66.0.8").received == 5);
}
