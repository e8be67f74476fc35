#include "injector/host/tap.hpp"

#include "injector/host/qdisc.hpp"

#include <fcntl.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <linux/rtnetlink.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cstring>

namespace arashi {

namespace {

constexpr const char* tun_path = "/dev/net/tun";
constexpr std::uint32_t queue_frames =
    32768;                                   // what may wait while the worker sleeps; more than a quarter of a second at 100,000 packets/s
constexpr unsigned tun_uso = 0x20U | 0x40U;  // TUN_F_USO4 | TUN_F_USO6, Linux 6.2

Result<Fd> open_tun() {
  Fd fd(::open(tun_path, O_RDWR | O_CLOEXEC | O_NONBLOCK));
  if (fd) return fd;
  if (errno == ENOENT || errno == ENODEV || errno == ENXIO)
    return fail(Blame::unsupported, "there is no ", tun_path, ": load the module tun, or give the container this device");
  if (errno == EACCES || errno == EPERM) return fail(Blame::unsupported, "'", tun_path, "' may not be opened: ", std::strerror(errno));
  return sys_fail("open '", tun_path, "'");
}

// Large segments pass whole; a kernel that lacks the newest kind cuts those itself.
Result<void> accept_offloads(const Fd& fd, Segments segments) {
  if (segments == Segments::single && ioctl(fd.get(), TUNSETOFFLOAD, 0) == 0) return {};
  constexpr unsigned usual = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
  if (ioctl(fd.get(), TUNSETOFFLOAD, usual | tun_uso) == 0 || ioctl(fd.get(), TUNSETOFFLOAD, usual) == 0) return {};
  return sys_fail("set the offloads of a tap device");
}

netlink::Message silence(std::int32_t device) {
  ifinfomsg header{};
  header.ifi_index = device;
  netlink::Message message(RTM_NEWLINK, 0);
  message.header(header);
  const auto families = message.nest(IFLA_AF_SPEC);
  const auto v6 = message.nest(AF_INET6);
  constexpr std::uint8_t none = IN6_ADDR_GEN_MODE_NONE;
  message.put(IFLA_INET6_ADDR_GEN_MODE, std::as_bytes(std::span(&none, 1)));
  message.end(v6);
  message.end(families);
  return message;
}

netlink::Message bring_up(std::int32_t device) {
  ifinfomsg header{};
  header.ifi_index = device;
  header.ifi_flags = IFF_UP | IFF_NOARP;
  header.ifi_change = IFF_UP | IFF_NOARP | IFF_MULTICAST;
  netlink::Message message(RTM_NEWLINK, 0);
  message.header(header).put_u32(IFLA_TXQLEN, queue_frames).put_text(IFLA_IFALIAS, our_alias);
  return message;
}

Result<std::int32_t> index_of(netlink::Socket& socket, const std::string& name) {
  netlink::Message message(RTM_GETLINK, 0);
  message.header(ifinfomsg{}).put_text(IFLA_IFNAME, name);
  const auto reply = TRY(socket.get(std::move(message)));
  if (!reply) return fail(Blame::system, "the tap device ", name, " is not there after making it");
  return reply->header<ifinfomsg>().ifi_index;
}

}  // namespace

Result<void> probe_tun() {
  TRY(open_tun());
  return {};
}

Result<Tap> open_tap(const std::string& name, Segments segments, Framing framing) {
  Tap tap;
  tap.fd = TRY(open_tun());
  ifreq request{};
  request.ifr_flags = static_cast<short>((framing == Framing::bare ? IFF_TUN : IFF_TAP) | IFF_NO_PI | IFF_VNET_HDR);
  std::strncpy(request.ifr_name, name.c_str(), sizeof request.ifr_name - 1);
  if (ioctl(tap.fd.get(), TUNSETIFF, &request) != 0) return sys_fail("make the tap device ", name);
  TRY(accept_offloads(tap.fd, segments));
  auto socket = TRY(netlink::Socket::open());
  tap.device.index = TRY(index_of(socket, name));
  tap.device.name = name;
  TRY(socket.change(silence(tap.device.index)));  // refused where there is no IPv6, which is as good
  const auto up = TRY(socket.change(bring_up(tap.device.index)));
  if (!up) return netlink::ack_fail(up, "bring up the tap device " + name);
  return tap;
}

}  // namespace arashi
