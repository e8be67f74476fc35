#include "injector/host/device_routes.hpp"

#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <cstring>

namespace arashi::rtnetlink {

using Payload = netlink::Bytes;
using netlink::Message;
using netlink::Socket;

namespace {

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

}  // namespace

Result<std::vector<Raw>> routes(Socket& socket, std::int32_t device) {
  std::vector<Raw> found;
  for (const auto& reply : TRY(dump_both(socket, RTM_GETROUTE, &rtmsg::rtm_family))) {
    const auto about = reply.header<rtmsg>();
    if (about.rtm_protocol == RTPROT_KERNEL || (about.rtm_flags & RTM_F_CLONED) != 0) continue;
    auto route = still_route(reply.payload());
    if (goes_by(route, device)) found.push_back(std::move(route));
  }
  return found;
}

bool uses_nexthop_object(const Raw& route) { return number_in<rtmsg>(route, RTA_NH_ID) != 0; }

// A route may need another one to reach its gateway, so again as long as it helps.
Result<void> restore_routes(Socket& socket, std::int32_t device, const std::vector<Raw>& wanted) {
  Result<void> last;
  for (std::size_t before = wanted.size() + 1;;) {
    const auto present = TRY(routes(socket, device));
    std::size_t missing = 0;
    last = {};
    for (const auto& route : wanted) {
      if (contains(present, route, same_raw)) continue;
      const auto put = ask(socket, route_message(route, present), "restore a route");
      if (!put) last = put;
      if (!put) ++missing;
    }
    if (missing == 0 || missing >= before) return last;
    before = missing;
  }
}

}  // namespace arashi::rtnetlink
