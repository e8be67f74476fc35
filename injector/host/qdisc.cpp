#include "injector/host/qdisc.hpp"

#include "injector/host/socket_shelf.hpp"

#include <arpa/inet.h>
#include <linux/if_arp.h>
#include <linux/if_ether.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>

#include <algorithm>
#include <array>

namespace arashi {

using netlink::Message;
using netlink::Reply;
using netlink::Socket;

namespace {

constexpr std::uint32_t clsact_handle = TC_H_MAKE(TC_H_CLSACT, 0);
constexpr std::uint16_t usual_priority = 0xC000;  // what the kernel takes for the first filter when none is asked for

// Devices that the kernel's redirect takes for having no header of the link.
constexpr std::array<unsigned short, 5> bare_types{ARPHRD_NONE, ARPHRD_TUNNEL, ARPHRD_TUNNEL6, ARPHRD_SIT, ARPHRD_RAWIP};

std::uint32_t parent_of(Hook hook) { return TC_H_MAKE(TC_H_CLSACT, hook == Hook::egress ? TC_H_MIN_EGRESS : TC_H_MIN_INGRESS); }

tcmsg about(std::int32_t device) {
  tcmsg header{};
  header.tcm_family = AF_UNSPEC;
  header.tcm_ifindex = device;
  return header;
}

Filter filter_from(const Reply& reply) {
  const auto header = reply.header<tcmsg>();
  Filter filter;
  filter.kind = netlink::text(reply.find(sizeof header, TCA_KIND));
  filter.handle = header.tcm_handle;
  filter.parent = header.tcm_parent;
  filter.priority = static_cast<std::uint16_t>(TC_H_MAJ(header.tcm_info) >> 16U);
  filter.protocol = ntohs(static_cast<std::uint16_t>(TC_H_MIN(header.tcm_info)));
  const auto options = reply.find(sizeof header, TCA_OPTIONS);
  if (!options || filter.kind != "bpf") return filter;
  filter.name = netlink::text(netlink::find(*options, TCA_BPF_NAME));
  filter.program = netlink::u32(netlink::find(*options, TCA_BPF_ID)).value_or(0);
  return filter;
}

// In front of the others, as one of them may end the walk. Within one priority the newest bpf program comes first.
Result<std::uint16_t> priority_before(const std::vector<Filter>& present) {
  std::uint16_t lowest = usual_priority + 1;
  for (const auto& filter : present) lowest = std::min(lowest, filter.priority);
  if (lowest > 1) return static_cast<std::uint16_t>(lowest - 1);
  const auto joinable = [](const Filter& filter) { return filter.priority != 1 || (filter.kind == "bpf" && filter.protocol == ETH_P_ALL); };
  if (std::ranges::all_of(present, joinable)) return std::uint16_t{1};
  return fail(Blame::unsupported, "a filter with priority 1 that is not bpf for all protocols is there: nothing can go in front of it");
}

}  // namespace

Result<Socket> socket_in(const Host& host, const Netns& netns) {
  return host.sockets != nullptr ? host.sockets->socket(host, netns) : Socket::open(TRY(open_netns(host, netns)));
}

Result<std::vector<Link>> links(Socket& socket) {
  std::vector<Link> found;
  for (const auto& reply : TRY(socket.dump(Message(RTM_GETLINK, 0).header(ifinfomsg{})))) {
    const auto header = reply.header<ifinfomsg>();
    Link link;
    link.loopback = (header.ifi_flags & IFF_LOOPBACK) != 0;
    link.device = {std::string(netlink::text(reply.find(sizeof header, IFLA_IFNAME))), header.ifi_index, link.loopback};
    link.mtu = netlink::u32(reply.find(sizeof header, IFLA_MTU)).value_or(0);
    link.ours = netlink::text(reply.find(sizeof header, IFLA_IFALIAS)) == our_alias;
    link.up = (header.ifi_flags & IFF_UP) != 0;
    link.ethernet = header.ifi_type == ARPHRD_ETHER || header.ifi_type == ARPHRD_LOOPBACK;
    link.bare = std::ranges::find(bare_types, header.ifi_type) != bare_types.end();
    const auto info = reply.find(sizeof header, IFLA_LINKINFO);
    const bool vlan = info && netlink::text(netlink::find(*info, IFLA_INFO_KIND)) == "vlan";
    link.stacked = vlan || reply.find(sizeof header, IFLA_MASTER).has_value();
    found.push_back(std::move(link));
  }
  return found;
}

Result<std::optional<std::int32_t>> route_device(Socket& socket, const Cidr& peer) {
  rtmsg header{};
  header.rtm_family = peer.v4() ? AF_INET : AF_INET6;
  header.rtm_dst_len = peer.v4() ? 32 : 128;
  Message message(RTM_GETROUTE, 0);
  const auto address = std::as_bytes(std::span(peer.address));
  message.header(header).put(RTA_DST, peer.v4() ? address.subspan(12) : address);
  const auto reply = TRY(socket.get(std::move(message)));
  if (!reply || reply->type() != RTM_NEWROUTE) return std::optional<std::int32_t>{};
  const auto device = netlink::u32(reply->find(sizeof header, RTA_OIF));
  return device ? std::optional<std::int32_t>(static_cast<std::int32_t>(*device)) : std::nullopt;
}

Result<std::vector<Cidr>> addresses(Socket& socket) {
  std::vector<Cidr> found;
  for (const auto& reply : TRY(socket.dump(Message(RTM_GETADDR, 0).header(ifaddrmsg{})))) {
    const auto header = reply.header<ifaddrmsg>();
    if (header.ifa_scope == RT_SCOPE_HOST || header.ifa_scope == RT_SCOPE_LINK) continue;
    auto bytes = reply.find(sizeof header, IFA_LOCAL);  // v4: on a point-to-point link IFA_ADDRESS is the other side's
    if (!bytes) bytes = reply.find(sizeof header, IFA_ADDRESS);
    std::array<char, INET6_ADDRSTRLEN> text{};
    const bool whole = bytes && bytes->size() >= (header.ifa_family == AF_INET ? 4U : 16U);
    if (!whole || inet_ntop(header.ifa_family, bytes->data(), text.data(), text.size()) == nullptr) continue;
    found.push_back(TRY(parse_cidr(text.data())));
  }
  return found;
}

Result<FamilySet> families(Socket& socket) {
  FamilySet set;
  for (const auto& reply : TRY(socket.dump(Message(RTM_GETADDR, 0).header(ifaddrmsg{})))) {
    const auto header = reply.header<ifaddrmsg>();
    if (header.ifa_scope == RT_SCOPE_HOST) continue;
    if (header.ifa_family == AF_INET) set.v4 = true;
    if (header.ifa_family == AF_INET6 && header.ifa_scope != RT_SCOPE_LINK) set.v6 = true;
  }
  return set;
}

Result<bool> has_address(Socket& socket, std::int32_t device, const Cidr& address) {
  const auto all = std::as_bytes(std::span(address.address));
  const auto wanted = address.v4() ? all.subspan(12) : all;
  for (const auto& reply : TRY(socket.dump(Message(RTM_GETADDR, 0).header(ifaddrmsg{})))) {
    const auto header = reply.header<ifaddrmsg>();
    auto found = reply.find(sizeof header, IFA_LOCAL);
    if (!found) found = reply.find(sizeof header, IFA_ADDRESS);
    if (header.ifa_index == static_cast<std::uint32_t>(device) && found && std::ranges::equal(*found, wanted)) return true;
  }
  return false;
}

Result<std::vector<Qdisc>> qdiscs(Socket& socket, std::int32_t device) {
  std::vector<Qdisc> found;
  for (const auto& reply : TRY(socket.dump(Message(RTM_GETQDISC, 0).header(about(device))))) {
    const auto header = reply.header<tcmsg>();
    if (header.tcm_ifindex != device) continue;
    found.push_back({device, std::string(netlink::text(reply.find(sizeof header, TCA_KIND))), header.tcm_handle, header.tcm_parent});
  }
  return found;
}

Result<std::vector<Filter>> filters(Socket& socket, std::int32_t device, Hook hook) {
  auto header = about(device);
  header.tcm_parent = parent_of(hook);
  std::vector<Filter> found;
  for (const auto& reply : TRY(socket.dump(Message(RTM_GETTFILTER, 0).header(header)))) {
    auto filter = filter_from(reply);
    if (filter.handle != 0) found.push_back(std::move(filter));  // handle 0 is the priority itself, not a filter
  }
  return found;
}

Result<bool> ensure_clsact(Socket& socket, std::int32_t device) {
  auto header = about(device);
  header.tcm_handle = clsact_handle;
  header.tcm_parent = TC_H_CLSACT;
  Message message(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL);
  message.header(header).put_text(TCA_KIND, "clsact");
  const auto ack = TRY(socket.change(std::move(message)));
  if (ack || ack.code == EEXIST) return static_cast<bool>(ack);
  return netlink::ack_fail(ack, "add clsact to device " + std::to_string(device));
}

Result<void> remove_clsact(Socket& socket, std::int32_t device) {
  auto header = about(device);
  header.tcm_handle = clsact_handle;
  header.tcm_parent = TC_H_CLSACT;
  const auto ack = TRY(socket.change(Message(RTM_DELQDISC, 0).header(header)));
  if (ack || ack.code == ENOENT || ack.code == EINVAL || ack.code == ENODEV) return {};
  return netlink::ack_fail(ack, "remove clsact from device " + std::to_string(device));
}

Result<void> add_filter(Socket& socket, std::int32_t device, Hook hook, int program, const std::string& name,
                        const std::vector<Filter>& present) {
  auto header = about(device);
  header.tcm_parent = present.empty() ? parent_of(hook) : present.front().parent;
  header.tcm_info = TC_H_MAKE(static_cast<std::uint32_t>(TRY(priority_before(present))) << 16U, htons(ETH_P_ALL));
  Message message(RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL);
  message.header(header).put_text(TCA_KIND, "bpf");
  const auto options = message.nest(TCA_OPTIONS);
  message.put_u32(TCA_BPF_FD, static_cast<std::uint32_t>(program)).put_text(TCA_BPF_NAME, name);
  message.put_u32(TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT);
  message.end(options);
  const auto ack = TRY(socket.change(std::move(message)));
  if (ack) return {};
  return netlink::ack_fail(ack, "add a bpf filter to device " + std::to_string(device));
}

Result<void> remove_filter(Socket& socket, std::int32_t device, Hook hook, const Filter& filter) {
  auto header = about(device);
  header.tcm_parent = parent_of(hook);
  header.tcm_handle = filter.handle;
  header.tcm_info = TC_H_MAKE(static_cast<std::uint32_t>(filter.priority) << 16U, htons(filter.protocol));
  const auto ack = TRY(socket.change(Message(RTM_DELTFILTER, 0).header(header).put_text(TCA_KIND, filter.kind)));
  if (ack || ack.code == ENOENT || ack.code == ENODEV || ack.code == EINVAL) return {};
  return netlink::ack_fail(ack, "remove filter '" + filter.name + "' from device " + std::to_string(device));
}

}  // namespace arashi
