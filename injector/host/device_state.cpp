#include "injector/host/device_state.hpp"

#include "injector/core/json.hpp"
#include "injector/host/qdisc.hpp"

#include <arpa/inet.h>
#include <linux/if_addr.h>
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <net/if.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string>
#include <vector>

namespace arashi {

using Payload = netlink::Bytes;
using netlink::Message;
using netlink::Socket;

namespace {

using Raw = std::vector<std::byte>;  // family header and attributes, as NEWADDR, NEWROUTE and NEWNEIGH take them

constexpr std::size_t most_entries = 4096;
constexpr std::uint32_t kept_address_flags =
    IFA_F_NODAD | IFA_F_HOMEADDRESS | IFA_F_MANAGETEMPADDR | IFA_F_NOPREFIXROUTE | IFA_F_MCAUTOJOIN | IFA_F_OPTIMISTIC;

std::string hex_of(const Raw& raw) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (const auto byte : raw) {
    text += digits[std::to_integer<std::size_t>(byte) >> 4U];
    text += digits[std::to_integer<std::size_t>(byte) & 15U];
  }
  return text;
}

Raw raw_of(std::string_view hex) {
  Raw raw;
  for (std::size_t at = 0; at + 1 < hex.size(); at += 2) {
    std::uint8_t value = 0;
    std::from_chars(hex.data() + at, hex.data() + at + 2, value, 16);
    raw.push_back(std::byte{value});
  }
  return raw;
}

template <class Header>
Header header_of(const Raw& raw) {
  Header header{};
  std::memcpy(&header, raw.data(), std::min(sizeof header, raw.size()));
  return header;
}

template <class Header>
Payload attributes_of(const Raw& raw) {
  constexpr auto start = (sizeof(Header) + 3U) & ~std::size_t{3};
  return Payload(raw).subspan(std::min(raw.size(), start));
}

template <class Header>
std::uint32_t number_in(const Raw& raw, std::uint16_t type) {
  return netlink::u32(netlink::find(attributes_of<Header>(raw), type)).value_or(0);
}

// The header, and the attributes but those named: an answer of the kernel as a request that asks for the same.
template <class Header>
Raw rebuilt(const Header& header, Payload attributes, std::initializer_list<std::uint16_t> without) {
  Message message(0, 0);
  message.header(header);
  while (const auto attribute = netlink::cut_attribute(attributes))
    if (std::ranges::find(without, attribute->type) == without.end()) message.put(attribute->type, attribute->value);
  const auto whole = message.bytes().subspan(sizeof(nlmsghdr));
  return {whole.begin(), whole.end()};
}

Result<void> ask(Socket& socket, Message message, std::string_view what) {
  const auto ack = TRY(socket.change(std::move(message)));
  if (ack || ack.code == EEXIST) return {};
  return netlink::ack_fail(ack, what);
}

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

bool contains(const std::vector<Raw>& all, const Raw& one, bool (*same)(const Raw&, const Raw&)) {
  return std::ranges::any_of(all, [&](const Raw& each) { return same(each, one); });
}

// It was ours a moment ago, so it need not be asked for on the wire again; else routes that name it as their source could not come back
// for a second or two.
Result<void> restore_addresses(Socket& socket, std::int32_t device, const std::vector<Raw>& wanted) {
  const auto present = TRY(addresses(socket, device));
  for (const auto& address : wanted)
    if (header_of<ifaddrmsg>(address).ifa_family == AF_INET6 && !contains(present, address, same_address))
      TRY(ask(socket, address_message(address, NLM_F_CREATE | NLM_F_EXCL, (flags_of_address(address) & kept_address_flags) | IFA_F_NODAD),
              "put an address back"));
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
      TRY(ask(socket, address_message(address, NLM_F_REPLACE, flags), "put an address's flags back"));
  }
  return {};
}

// --- routes

// rtnexthop flags such as "dead" and "linkdown" are the state of the moment.
Raw still_hops(Payload hops) {
  Raw copy(hops.begin(), hops.end());
  for (std::size_t at = 0; at + sizeof(rtnexthop) <= copy.size();) {
    rtnexthop hop{};
    std::memcpy(&hop, &copy.at(at), sizeof hop);
    if (hop.rtnh_len < sizeof hop) break;
    hop.rtnh_flags &= RTNH_F_ONLINK;
    std::memcpy(&copy.at(at), &hop, sizeof hop);
    at += (hop.rtnh_len + 3U) & ~std::size_t{3};
  }
  return copy;
}

Raw still_route(Payload payload) {
  const Raw raw(payload.begin(), payload.end());
  auto header = header_of<rtmsg>(raw);
  header.rtm_flags &= RTNH_F_ONLINK;
  auto rest = attributes_of<rtmsg>(raw);
  Message message(0, 0);
  message.header(header);
  while (const auto attribute = netlink::cut_attribute(rest)) {
    if (attribute->type == RTA_CACHEINFO) continue;
    if (attribute->type == RTA_MULTIPATH)
      message.put(RTA_MULTIPATH, still_hops(attribute->value));
    else
      message.put(attribute->type, attribute->value);
  }
  const auto whole = message.bytes().subspan(sizeof(nlmsghdr));
  return {whole.begin(), whole.end()};
}

bool goes_by(const Raw& route, std::int32_t device) {
  const auto attributes = attributes_of<rtmsg>(route);
  if (number_in<rtmsg>(route, RTA_OIF) == static_cast<std::uint32_t>(device)) return true;
  const auto hops = netlink::find(attributes, RTA_MULTIPATH).value_or(Payload{});
  for (std::size_t at = 0; at + sizeof(rtnexthop) <= hops.size();) {
    rtnexthop hop{};
    std::memcpy(&hop, hops.subspan(at).data(), sizeof hop);
    if (hop.rtnh_len < sizeof hop) return false;
    if (hop.rtnh_ifindex == device) return true;
    at += (hop.rtnh_len + 3U) & ~std::size_t{3};
  }
  return false;
}

// All but those that the kernel makes of addresses by itself.
Result<std::vector<Raw>> routes(Socket& socket, std::int32_t device) {
  std::vector<Raw> found;
  for (const auto family : {AF_INET, AF_INET6}) {
    rtmsg header{};
    header.rtm_family = static_cast<unsigned char>(family);
    for (const auto& reply : TRY(socket.dump(Message(RTM_GETROUTE, 0).header(header)))) {
      const auto about = reply.header<rtmsg>();
      if (about.rtm_protocol == RTPROT_KERNEL || (about.rtm_flags & RTM_F_CLONED) != 0) continue;
      auto route = still_route(reply.payload());
      if (goes_by(route, device)) found.push_back(std::move(route));
    }
  }
  return found;
}

bool same_raw(const Raw& left, const Raw& right) { return left == right; }

// The same destination in the same table with the same preference: there can be only one such route, or one with several next hops.
bool same_place(const Raw& left, const Raw& right) {
  const auto a = header_of<rtmsg>(left);
  const auto b = header_of<rtmsg>(right);
  const auto destination = [](const Raw& route) {
    const auto value = netlink::find(attributes_of<rtmsg>(route), RTA_DST).value_or(Payload{});
    return Raw(value.begin(), value.end());
  };
  return a.rtm_family == b.rtm_family && a.rtm_dst_len == b.rtm_dst_len && a.rtm_tos == b.rtm_tos &&
         number_in<rtmsg>(left, RTA_TABLE) == number_in<rtmsg>(right, RTA_TABLE) &&
         number_in<rtmsg>(left, RTA_PRIORITY) == number_in<rtmsg>(right, RTA_PRIORITY) && destination(left) == destination(right);
}

bool has_many_hops(const Raw& route) { return netlink::find(attributes_of<rtmsg>(route), RTA_MULTIPATH).has_value(); }

// A route that lost one of its next hops is written anew; IPv4 may hold several of one place, in their order.
Message route_message(const Raw& route, const std::vector<Raw>& present) {
  const bool rest_is_there = has_many_hops(route) && contains(present, route, same_place);
  const bool v4 = header_of<rtmsg>(route).rtm_family == AF_INET;
  const auto how = rest_is_there ? NLM_F_REPLACE : v4 ? NLM_F_APPEND : NLM_F_EXCL;
  Message message(RTM_NEWROUTE, static_cast<std::uint16_t>(NLM_F_CREATE | how));
  message.body(route);
  return message;
}

// A route may need another one to reach its gateway, so again as long as it helps.
Result<void> restore_routes(Socket& socket, std::int32_t device, const std::vector<Raw>& wanted) {
  Result<void> last;
  for (std::size_t before = wanted.size() + 1;;) {
    const auto present = TRY(routes(socket, device));
    std::size_t missing = 0;
    last = {};
    for (const auto& route : wanted) {
      if (contains(present, route, same_raw)) continue;
      const auto put = ask(socket, route_message(route, present), "put a route back");
      if (!put) last = put;
      if (!put) ++missing;
    }
    if (missing == 0 || missing >= before) return last;
    before = missing;
  }
}

// --- neighbours

Result<std::vector<Raw>> neighbours(Socket& socket, std::int32_t device) {
  std::vector<Raw> found;
  for (const auto family : {AF_INET, AF_INET6}) {
    ndmsg header{};
    header.ndm_family = static_cast<unsigned char>(family);
    for (const auto& reply : TRY(socket.dump(Message(RTM_GETNEIGH, 0).header(header)))) {
      const auto about = reply.header<ndmsg>();
      if (about.ndm_ifindex != device || (about.ndm_state & NUD_PERMANENT) == 0) continue;
      const Raw raw(reply.payload().begin(), reply.payload().end());
      found.push_back(rebuilt(about, attributes_of<ndmsg>(raw), {NDA_CACHEINFO, NDA_PROBES}));
    }
  }
  return found;
}

Result<void> restore_neighbours(Socket& socket, std::int32_t device, const std::vector<Raw>& wanted) {
  const auto present = TRY(neighbours(socket, device));
  for (const auto& neighbour : wanted) {
    if (contains(present, neighbour, same_raw)) continue;
    Message message(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_REPLACE);
    message.body(neighbour);
    TRY(ask(socket, std::move(message), "put a permanent neighbour back"));
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

Json texts(const std::vector<Raw>& all) {
  Json list = Json::array();
  for (const auto& each : all) list.push_back(hex_of(each));
  return list;
}

std::vector<Raw> raws(const Json& list) {
  std::vector<Raw> all;
  for (const auto& each : list) all.push_back(raw_of(each.get<std::string>()));
  return all;
}

}  // namespace

Device device_of(const Json& state) { return {state.at("name").get<std::string>(), state.at("index").get<std::int32_t>()}; }

Result<Json> device_state(Socket& socket, const Device& device) {
  TRY(must_stand_alone(socket, device));
  const auto all_addresses = TRY(addresses(socket, device.index));
  const auto all_routes = TRY(routes(socket, device.index));
  const auto all_neighbours = TRY(neighbours(socket, device.index));
  if (all_addresses.size() + all_routes.size() + all_neighbours.size() > most_entries)
    return fail(Blame::unsupported, "device '", device.name, "' has more than ", most_entries,
                " addresses, routes and neighbours to put back");
  for (const auto& route : all_routes)
    if (number_in<rtmsg>(route, RTA_NH_ID) != 0)
      return fail(Blame::unsupported, "a route by device '", device.name,
                  "' uses a nexthop object, which the kernel drops with the device");
  return Json{{"name", device.name},
              {"index", device.index},
              {"addresses", texts(all_addresses)},
              {"routes", texts(all_routes)},
              {"neighbours", texts(all_neighbours)}};
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

Result<void> restore_device(Socket& socket, const Json& state) {
  const auto device = device_of(state);
  if (!TRY(is_up(socket, device))) return {};
  const auto wanted = raws(state.at("addresses"));
  const auto taken = TRY(taken_away(socket, device.index, wanted));
  TRY(restore_addresses(socket, device.index, wanted));
  TRY(set_link(socket, device, LinkState::up));
  TRY(restore_addresses(socket, device.index, wanted));
  TRY(restore_neighbours(socket, device.index, raws(state.at("neighbours"))));
  auto routed = restore_routes(socket, device.index, raws(state.at("routes")));
  TRY(finish_addresses(socket, device.index, wanted));
  if (taken.empty()) return routed;
  return fail(Blame::refused, drift_mark, "someone else has taken ", taken, " from ", device.name, " meanwhile; it is left so",
              routed ? "" : ", and with it what needs it: " + routed.error().message);
}

Result<Remains> remains_of(Socket& socket, const Json& state) {
  const auto device = device_of(state);
  Remains remains;
  const auto count = [&](const Json& list, const std::vector<Raw>& present, bool (*same)(const Raw&, const Raw&)) {
    for (const auto& each : raws(list)) {
      ++remains.had;
      if (contains(present, each, same)) ++remains.has;
    }
  };
  count(state.at("addresses"), TRY(addresses(socket, device.index)), same_address);
  count(state.at("routes"), TRY(routes(socket, device.index)), same_raw);
  count(state.at("neighbours"), TRY(neighbours(socket, device.index)), same_raw);
  return remains;
}

}  // namespace arashi
