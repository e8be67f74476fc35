#include "injector/host/device_state.hpp"

#include "injector/core/evidence.hpp"
#include "injector/host/device_routes.hpp"
#include "injector/host/qdisc.hpp"
#include "injector/host/rtnetlink_raw.hpp"

#include <arpa/inet.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include <algorithm>
#include <array>
#include <string>
#include <vector>

namespace arashi {

using Payload = netlink::Bytes;
using netlink::Message;
using netlink::Socket;
using namespace rtnetlink;

namespace {

constexpr std::size_t most_entries = 4096;
constexpr std::uint32_t kept_address_flags =
    IFA_F_NODAD | IFA_F_HOMEADDRESS | IFA_F_MANAGETEMPADDR | IFA_F_NOPREFIXROUTE | IFA_F_MCAUTOJOIN | IFA_F_OPTIMISTIC;

// --- addresses

std::uint32_t flags_of_address(const Raw& raw) {
  const auto flags = netlink::u32(netlink::find(attributes_of<ifaddrmsg>(raw), IFA_FLAGS));
  return flags.value_or(header_of<ifaddrmsg>(raw).ifa_flags);
}

Result<std::vector<Raw>> addresses(Socket& socket, std::int32_t device) {
  std::vector<Raw> found;
  for (const auto& reply : TRY(socket.dump(Message(RTM_GETADDR, 0).header(ifaddrmsg{})))) {
    Raw raw(reply.payload().begin(), reply.payload().end());
    if (header_of<ifaddrmsg>(raw).ifa_index != static_cast<std::uint32_t>(device)) continue;
    // The kernel makes temporary addresses again by itself.
    if ((flags_of_address(raw) & IFA_F_TEMPORARY) == 0) found.push_back(std::move(raw));
  }
  return found;
}

bool same_address(const Raw& left, const Raw& right) {
  const auto a = header_of<ifaddrmsg>(left);
  const auto b = header_of<ifaddrmsg>(right);
  const auto same = [&](std::uint16_t type) {
    const auto x = netlink::find(attributes_of<ifaddrmsg>(left), type);
    const auto y = netlink::find(attributes_of<ifaddrmsg>(right), type);
    return x.has_value() == y.has_value() && (!x || std::ranges::equal(*x, *y));
  };
  return a.ifa_family == b.ifa_family && a.ifa_prefixlen == b.ifa_prefixlen && same(IFA_ADDRESS) && same(IFA_LOCAL);
}

Message address_message(const Raw& raw, std::uint16_t flags, std::uint32_t address_flags) {
  auto header = header_of<ifaddrmsg>(raw);
  header.ifa_flags = static_cast<std::uint8_t>(address_flags);
  Message message(RTM_NEWADDR, flags);
  message.body(rebuilt(header, attributes_of<ifaddrmsg>(raw), {IFA_FLAGS})).put_u32(IFA_FLAGS, address_flags);
  return message;
}

// It was ours a moment ago, so it need not be asked for on the wire again; else routes that name it as their source could not come back
// for a second or two.
Result<void> restore_addresses(Socket& socket, std::int32_t device, const std::vector<Raw>& wanted) {
  const auto present = TRY(addresses(socket, device));
  for (const auto& address : wanted)
    if (header_of<ifaddrmsg>(address).ifa_family == AF_INET6 && !contains(present, address, same_address))
      TRY(ask(socket, address_message(address, NLM_F_CREATE | NLM_F_EXCL, (flags_of_address(address) & kept_address_flags) | IFA_F_NODAD),
              "restore an address"));
  return {};
}

// IPv4 addresses outlast a fall: one that is missing was taken away by someone else. They are named, and not put back.
Result<std::string> taken_away(Socket& socket, std::int32_t device, const std::vector<Raw>& wanted) {
  const auto present = TRY(addresses(socket, device));
  std::string names;
  for (const auto& address : wanted) {
    if (header_of<ifaddrmsg>(address).ifa_family != AF_INET || contains(present, address, same_address)) continue;
    const auto bytes = netlink::find(attributes_of<ifaddrmsg>(address), IFA_LOCAL).value_or(Payload{});
    std::array<char, INET_ADDRSTRLEN> text{};
    if (bytes.size() == sizeof(in_addr)) ::inet_ntop(AF_INET, bytes.data(), text.data(), text.size());
    names += (names.empty() ? "" : ", ") + std::string(text.data());
  }
  return names;
}

// With the flags that they had.
Result<void> finish_addresses(Socket& socket, std::int32_t device, const std::vector<Raw>& wanted) {
  const auto present = TRY(addresses(socket, device));
  for (const auto& address : wanted) {
    if (header_of<ifaddrmsg>(address).ifa_family != AF_INET6) continue;
    const auto flags = flags_of_address(address) & kept_address_flags;
    const auto found = std::ranges::find_if(present, [&](const Raw& each) { return same_address(each, address); });
    if (found != present.end() && (flags_of_address(*found) & kept_address_flags) != flags)
      TRY(ask(socket, address_message(address, NLM_F_REPLACE, flags), "restore an address's flags"));
  }
  return {};
}

// --- neighbours

Result<std::vector<Raw>> neighbours(Socket& socket, std::int32_t device) {
  std::vector<Raw> found;
  for (const auto& reply : TRY(dump_both(socket, RTM_GETNEIGH, &ndmsg::ndm_family))) {
    const auto about = reply.header<ndmsg>();
    if (about.ndm_ifindex != device || (about.ndm_state & NUD_PERMANENT) == 0) continue;
    const Raw raw(reply.payload().begin(), reply.payload().end());
    found.push_back(rebuilt(about, attributes_of<ndmsg>(raw), {NDA_CACHEINFO, NDA_PROBES}));
  }
  return found;
}

Result<void> restore_neighbours(Socket& socket, std::int32_t device, const std::vector<Raw>& wanted) {
  const auto present = TRY(neighbours(socket, device));
  for (const auto& neighbour : wanted) {
    if (contains(present, neighbour, same_raw)) continue;
    Message message(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE);
    message.body(neighbour);
    TRY(ask(socket, std::move(message), "restore a permanent neighbour"));
  }
  return {};
}

// --- the device

// By its index, which the kernel gives to no other device of the namespace: it may have been renamed meanwhile.
Result<std::optional<netlink::Reply>> link_of(Socket& socket, const Device& device) {
  ifinfomsg header{};
  header.ifi_index = device.index;
  return socket.get(Message(RTM_GETLINK, 0).header(header));
}

Result<void> must_stand_alone(Socket& socket, const Device& device) {
  for (const auto& reply : TRY(socket.dump(Message(RTM_GETLINK, 0).header(ifinfomsg{})))) {
    const auto below = netlink::u32(reply.find(sizeof(ifinfomsg), IFLA_LINK)).value_or(0);
    const bool is_here = !reply.find(sizeof(ifinfomsg), IFLA_LINK_NETNSID);
    const auto info = reply.find(sizeof(ifinfomsg), IFLA_LINKINFO);
    const bool is_pair = info && netlink::text(netlink::find(*info, IFLA_INFO_KIND)) == "veth";
    if (is_here && !is_pair && below == static_cast<std::uint32_t>(device.index) && reply.header<ifinfomsg>().ifi_index != device.index)
      return fail(Blame::unsupported, "device '", netlink::text(reply.find(sizeof(ifinfomsg), IFLA_IFNAME)), "' stands on '", device.name,
                  "' and would go down with it: take that one down");
  }
  return {};
}

}  // namespace

Result<DeviceState> device_state(Socket& socket, const Device& device) {
  TRY(must_stand_alone(socket, device));
  DeviceState state{.device = device, .addresses = {}, .routes = {}, .neighbours = {}};
  state.addresses = TRY(addresses(socket, device.index));
  state.routes = TRY(routes(socket, device.index));
  state.neighbours = TRY(neighbours(socket, device.index));
  if (state.addresses.size() + state.routes.size() + state.neighbours.size() > most_entries)
    return fail(Blame::unsupported, "device '", device.name, "' has more than ", most_entries,
                " addresses, routes and neighbours to restore");
  for (const auto& route : state.routes)
    if (rtnetlink::uses_nexthop_object(route))
      return fail(Blame::unsupported, "a route by device '", device.name,
                  "' uses a nexthop object, which the kernel drops with the device");
  return state;
}

Result<std::optional<bool>> is_up(Socket& socket, const Device& device) {
  const auto link = TRY(link_of(socket, device));
  if (!link) return std::optional<bool>{};
  return std::optional((link->header<ifinfomsg>().ifi_flags & IFF_UP) != 0);
}

Result<void> set_link(Socket& socket, const Device& device, LinkState wanted) {
  const auto now = TRY(is_up(socket, device));
  if (!now) return fail(Blame::missing, "device '", device.name, "' is gone");
  if (*now == (wanted == LinkState::up)) return {};
  ifinfomsg header{};
  header.ifi_index = device.index;
  header.ifi_change = IFF_UP;
  if (wanted == LinkState::up) header.ifi_flags = IFF_UP;
  const auto ack = TRY(socket.change(Message(RTM_NEWLINK, 0).header(header)));
  if (ack) return {};
  return netlink::ack_fail(ack, (wanted == LinkState::up ? "bring up device '" : "take down device '") + device.name + "'");
}

Result<void> restore_device(Socket& socket, const DeviceState& state) {
  const auto& device = state.device;
  if (!TRY(is_up(socket, device))) return {};
  const auto& wanted = state.addresses;
  const auto taken = TRY(taken_away(socket, device.index, wanted));
  TRY(restore_addresses(socket, device.index, wanted));
  TRY(set_link(socket, device, LinkState::up));
  TRY(restore_addresses(socket, device.index, wanted));
  TRY(restore_neighbours(socket, device.index, state.neighbours));
  auto routed = restore_routes(socket, device.index, state.routes);
  TRY(finish_addresses(socket, device.index, wanted));
  if (taken.empty()) return routed;
  return fail(Code::drifted, "someone else has taken ", taken, " from ", device.name, " meanwhile; it is left so",
              routed ? "" : ", and with it what needs it: " + routed.error().message);
}

Result<Remains> remains_of(Socket& socket, const DeviceState& state) {
  const auto& device = state.device;
  Remains remains;
  const auto count = [&](const std::vector<Raw>& list, const std::vector<Raw>& present, bool (*same)(const Raw&, const Raw&)) {
    for (const auto& each : list) {
      ++remains.had;
      if (contains(present, each, same)) ++remains.has;
    }
  };
  count(state.addresses, TRY(addresses(socket, device.index)), same_address);
  count(state.routes, TRY(routes(socket, device.index)), same_raw);
  count(state.neighbours, TRY(neighbours(socket, device.index)), same_raw);
  return remains;
}

}  // namespace arashi
