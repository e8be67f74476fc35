#include "injector/host/netem_message.hpp"

#include "injector/core/crc.hpp"
#include "injector/host/netem_options.hpp"

#include <linux/gen_stats.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_mirred.h>
#include <net/if.h>
#include <netinet/in.h>

#include <span>

namespace arashi::netem {

using netlink::Message;

namespace {

template <class Value>
netlink::Bytes bytes_of(const Value& value) {
  return std::as_bytes(std::span(&value, 1));
}

template <class Value>
std::optional<Value> read_as(std::optional<netlink::Bytes> bytes) {
  Value value{};
  if (!bytes || bytes->size() < sizeof value) return std::nullopt;
  std::memcpy(&value, bytes->data(), sizeof value);
  return value;
}

tcmsg about(std::int32_t device, std::uint32_t parent, std::uint32_t handle) {
  tcmsg header{};
  header.tcm_family = AF_UNSPEC;
  header.tcm_ifindex = device;
  header.tcm_parent = parent;
  header.tcm_handle = handle;
  return header;
}

ifinfomsg link(std::int32_t device) {
  ifinfomsg header{};
  header.ifi_index = device;
  return header;
}

}  // namespace

Handles handles_of(std::string_view id) {
  const std::uint32_t major = 0x4000U | (crc32c(id) & 0x1FFEU);
  return {.root = major << 16U, .netem = (major + 1) << 16U};
}

std::string ifb_name(std::string_view id, std::size_t ordinal) { return "ara" + std::string(id) + "i" + std::to_string(ordinal); }

Message add_prio(std::int32_t device, const Handles& handles) {
  // The usual three bands by type of service, so that what does not match fares as under the kernel's pfifo_fast.
  tc_prio_qopt options{.bands = faulty_band, .priomap = {1, 2, 2, 2, 1, 2, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1}};
  Message message(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL);
  message.header(about(device, TC_H_ROOT, handles.root)).put_text(TCA_KIND, "prio").put(TCA_OPTIONS, bytes_of(options));
  return message;
}

Message classify(std::int32_t device, const Handles& handles, int program, std::string_view name) {
  auto header = about(device, handles.root, 0);
  header.tcm_info = TC_H_MAKE(1U << 16U, htons(ETH_P_ALL));
  Message message(RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL);
  message.header(header).put_text(TCA_KIND, "bpf");
  const auto options = message.nest(TCA_OPTIONS);
  message.put_u32(TCA_BPF_FD, static_cast<std::uint32_t>(program)).put_text(TCA_BPF_NAME, name);
  message.put_u32(TCA_BPF_FLAGS, TCA_BPF_FLAG_ACT_DIRECT).put_u32(TCA_BPF_CLASSID, handles.root).end(options);
  return message;
}

Message add_netem(std::int32_t device, const Handles& handles, Place place, const Effects& effects, std::optional<std::uint64_t> seed) {
  const auto parent = place == Place::root ? TC_H_ROOT : handles.root | faulty_band;
  Message message(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL);
  message.header(about(device, parent, handles.netem)).put_text(TCA_KIND, "netem");
  put_options(message, effects, seed);
  return message;
}

Message delete_root(std::int32_t device, std::uint32_t handle) {
  Message message(RTM_DELQDISC, 0);
  message.header(about(device, TC_H_ROOT, handle));
  return message;
}

Message add_ifb(std::string_view name) {
  Message message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
  message.header(link(0)).put_text(IFLA_IFNAME, name);
  const auto info = message.nest(IFLA_LINKINFO);
  message.put_text(IFLA_INFO_KIND, "ifb").end(info);
  return message;
}

Message without_addresses(std::int32_t device) {
  const std::uint8_t none = IN6_ADDR_GEN_MODE_NONE;
  Message message(RTM_NEWLINK, 0);
  message.header(link(device));
  const auto families = message.nest(IFLA_AF_SPEC);
  const auto v6 = message.nest(AF_INET6);
  message.put(IFLA_INET6_ADDR_GEN_MODE, bytes_of(none)).end(v6);
  message.end(families);
  return message;
}

Message set_up(std::int32_t device) {
  auto header = link(device);
  header.ifi_flags = IFF_UP;
  header.ifi_change = IFF_UP;
  Message message(RTM_NEWLINK, 0);
  message.header(header);
  return message;
}

Message delete_link(std::int32_t device) {
  Message message(RTM_DELLINK, 0);
  message.header(link(device));
  return message;
}

Message redirect(std::int32_t device, std::uint16_t priority, int program, std::string_view name, std::int32_t to) {
  auto header = about(device, TC_H_MAKE(TC_H_CLSACT, TC_H_MIN_INGRESS), 0);
  header.tcm_info = TC_H_MAKE(std::uint32_t{priority} << 16U, htons(ETH_P_ALL));
  tc_mirred mirred{};
  mirred.action = TC_ACT_STOLEN;
  mirred.eaction = TCA_EGRESS_REDIR;
  mirred.ifindex = static_cast<std::uint32_t>(to);
  Message message(RTM_NEWTFILTER, NLM_F_CREATE | NLM_F_EXCL);
  message.header(header).put_text(TCA_KIND, "bpf");
  const auto options = message.nest(TCA_OPTIONS);
  message.put_u32(TCA_BPF_FD, static_cast<std::uint32_t>(program)).put_text(TCA_BPF_NAME, name);
  message.put_u32(TCA_BPF_CLASSID, TC_H_MAKE(1U << 16U, 1U));
  const auto actions = message.nest(TCA_BPF_ACT);
  const auto first = message.nest(1);
  message.put_text(TCA_ACT_KIND, "mirred");
  const auto parameters = message.nest(TCA_ACT_OPTIONS);
  message.put(TCA_MIRRED_PARMS, bytes_of(mirred)).end(parameters);
  message.end(first);
  message.end(actions);
  message.end(options);
  return message;
}

std::optional<Standing> standing(const netlink::Reply& reply) {
  if (reply.type() != RTM_NEWQDISC) return std::nullopt;
  const auto header = reply.header<tcmsg>();
  Standing found;
  found.device = header.tcm_ifindex;
  found.handle = header.tcm_handle;
  found.parent = header.tcm_parent;
  found.kind = netlink::text(reply.find(sizeof header, TCA_KIND));
  if (const auto options = reply.find(sizeof header, TCA_OPTIONS); options && found.kind == "netem") found.settings = settings_in(*options);
  const auto stats = reply.find(sizeof header, TCA_STATS2);
  if (!stats) return found;
  if (const auto basic = read_as<gnet_stats_basic>(netlink::find(*stats, TCA_STATS_BASIC))) found.packets = basic->packets;
  if (const auto queue = read_as<gnet_stats_queue>(netlink::find(*stats, TCA_STATS_QUEUE))) {
    found.drops = queue->drops;
    found.requeues = queue->requeues;
  }
  return found;
}

}  // namespace arashi::netem
