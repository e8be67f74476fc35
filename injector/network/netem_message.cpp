#include "injector/network/netem_message.hpp"

#include "injector/core/crc.hpp"
#include "injector/host/qdisc.hpp"
#include "injector/network/netem_options.hpp"
#include "injector/network/netem_ramp.hpp"

#include <linux/gen_stats.h>
#include <linux/if_link.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sys/socket.h>

#include <algorithm>
#include <cmath>
#include <limits>
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

constexpr double bits = 8;
constexpr double nanoseconds = 1e9;
constexpr double nanoseconds_per_tick = 64;  // PSCHED_SHIFT is 6

std::uint64_t tbf_rate(const LinkRate& rate) {
  return std::max<std::uint64_t>(1, static_cast<std::uint64_t>(std::llround(static_cast<double>(rate.bits_per_second) / bits)));
}

// The kernel keeps the burst as the time that it takes.
void read_tbf(Standing& found, netlink::Bytes options) {
  const auto held = read_as<tc_tbf_qopt>(netlink::find(options, TCA_TBF_PARMS)).value_or(tc_tbf_qopt{});
  found.bytes_per_second = read_as<std::uint64_t>(netlink::find(options, TCA_TBF_RATE64)).value_or(held.rate.rate);
  const double seconds = held.buffer * nanoseconds_per_tick / nanoseconds;
  found.burst = static_cast<std::uint64_t>(std::llround(seconds * static_cast<double>(found.bytes_per_second)));
}

}  // namespace

std::uint32_t handle_of(std::string_view id) { return (0x4000U | (crc32c(id) & 0x1FFEU)) << 16U; }

std::uint32_t netem_handle(std::uint32_t root, const Effects& effects) { return effects.rate.burst > 0 ? root + 0x10000U : root; }

std::string end_name(std::string_view id, std::size_t lane, End end) {
  return "ara" + std::string(id) + (end == End::near ? "n" : "f") + std::to_string(lane);
}

Message add_tbf(std::int32_t device, std::uint32_t root, const LinkRate& rate) {
  constexpr std::uint64_t most = std::numeric_limits<std::uint32_t>::max();
  const auto bytes_per_second = tbf_rate(rate);
  tc_tbf_qopt options{};  // its limit is that of a queue that netem takes the place of
  options.rate.rate = static_cast<std::uint32_t>(std::min(bytes_per_second, most));
  options.rate.linklayer = TC_LINKLAYER_ETHERNET;  // then no table of times is needed
  Message message(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL);
  message.header(about(device, TC_H_ROOT, root)).put_text(TCA_KIND, "tbf");
  const auto nested = message.nest(TCA_OPTIONS);
  message.put(TCA_TBF_PARMS, bytes_of(options)).put_u32(TCA_TBF_BURST, static_cast<std::uint32_t>(rate.burst));
  if (bytes_per_second >= most) message.put(TCA_TBF_RATE64, bytes_of(bytes_per_second));
  message.end(nested);
  return message;
}

Message add_netem(std::int32_t device, std::uint32_t root, const Effects& effects, std::optional<std::uint64_t> seed) {
  const auto parent = effects.rate.burst > 0 ? root | 1U : TC_H_ROOT;
  Message message(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL);
  message.header(about(device, parent, netem_handle(root, effects))).put_text(TCA_KIND, "netem");
  put_options(message, grown(effects, settings_for(effects), 0), &effects, seed);
  return message;
}

Message change_netem(std::int32_t device, std::uint32_t root, const Settings& settings, std::optional<std::uint64_t> seed) {
  Message message(RTM_NEWQDISC, 0);
  message.header(about(device, TC_H_ROOT, root)).put_text(TCA_KIND, "netem");
  put_options(message, settings, nullptr, seed);
  return message;
}

namespace {

void put_end(Message& message, std::string_view name) {
  constexpr std::uint32_t largest = 65535;  // of veth; any packet of any device passes
  message.put_text(IFLA_IFNAME, name).put_u32(IFLA_MTU, largest).put_u32(IFLA_NUM_TX_QUEUES, 1).put_u32(IFLA_NUM_RX_QUEUES, 1);
}

}  // namespace

Message add_pair(std::string_view near, std::string_view far) {
  Message message(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL);
  message.header(link(0));
  put_end(message, near);
  const auto info = message.nest(IFLA_LINKINFO);
  message.put_text(IFLA_INFO_KIND, "veth");
  const auto data = message.nest(IFLA_INFO_DATA);
  const auto peer = message.nest(VETH_INFO_PEER);
  message.header(link(0));
  put_end(message, far);
  message.end(peer);
  message.end(data);
  message.end(info);
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
  header.ifi_flags = IFF_UP | IFF_NOARP;
  header.ifi_change = IFF_UP | IFF_NOARP | IFF_MULTICAST;
  Message message(RTM_NEWLINK, 0);
  message.header(header).put_text(IFLA_IFALIAS, our_alias);
  return message;
}

Message delete_link(std::int32_t device) {
  Message message(RTM_DELLINK, 0);
  message.header(link(device));
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
  if (const auto options = reply.find(sizeof header, TCA_OPTIONS); options && found.kind == "tbf") read_tbf(found, *options);
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
