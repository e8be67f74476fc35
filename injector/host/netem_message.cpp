#include "injector/host/netem_message.hpp"

#include "injector/core/crc.hpp"

#include <linux/gen_stats.h>
#include <linux/if_ether.h>
#include <linux/if_link.h>
#include <linux/pkt_cls.h>
#include <linux/pkt_sched.h>
#include <linux/rtnetlink.h>
#include <linux/tc_act/tc_mirred.h>
#include <net/if.h>
#include <netinet/in.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <span>

namespace arashi::netem {

using netlink::Message;

namespace {

constexpr std::uint16_t netem_seed = 14;           // TCA_NETEM_PRNG_SEED, Linux 6.6; older kernels pass over it
constexpr std::int64_t nanoseconds_per_tick = 64;  // PSCHED_SHIFT is 6
constexpr double whole = std::numeric_limits<std::uint32_t>::max();

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

std::uint32_t ticks(Duration time) {
  return static_cast<std::uint32_t>(std::min<std::int64_t>(time.count() / nanoseconds_per_tick, std::numeric_limits<std::uint32_t>::max()));
}

std::uint32_t probability(double fraction) { return static_cast<std::uint32_t>(std::llround(std::clamp(fraction, 0.0, 1.0) * whole)); }

Effects effects_from(netlink::Bytes options) {
  Effects held;
  const auto fixed = read_as<tc_netem_qopt>(options).value_or(tc_netem_qopt{});
  const auto rest = options.subspan(std::min(options.size(), sizeof fixed));
  held.delay = Duration(fixed.latency * nanoseconds_per_tick);
  held.jitter = Duration(fixed.jitter * nanoseconds_per_tick);
  held.loss = fixed.loss / whole;
  if (const auto exact = read_as<std::int64_t>(netlink::find(rest, TCA_NETEM_LATENCY64))) held.delay = Duration(*exact);
  if (const auto exact = read_as<std::int64_t>(netlink::find(rest, TCA_NETEM_JITTER64))) held.jitter = Duration(*exact);
  return held;
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
  tc_netem_qopt fixed{};
  fixed.latency = ticks(effects.delay);
  fixed.jitter = ticks(effects.jitter);
  fixed.limit = limit_for(effects);
  fixed.loss = probability(effects.loss);
  const std::int64_t delay = effects.delay.count();
  const std::int64_t jitter = effects.jitter.count();
  const auto parent = place == Place::root ? TC_H_ROOT : handles.root | faulty_band;
  Message message(RTM_NEWQDISC, NLM_F_CREATE | NLM_F_EXCL);
  message.header(about(device, parent, handles.netem)).put_text(TCA_KIND, "netem");
  // netem's options are its struct followed by attributes, so this is a "nested" attribute with a header of its own.
  const auto options = message.nest(TCA_OPTIONS);
  message.header(fixed).put(TCA_NETEM_LATENCY64, bytes_of(delay)).put(TCA_NETEM_JITTER64, bytes_of(jitter));
  if (seed) message.put(netem_seed, bytes_of(*seed));
  message.end(options);
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

Result<void> can_hold(const Effects& effects) {
  constexpr Duration most{std::numeric_limits<std::int32_t>::max()};
  if (effects.jitter <= most) return {};
  return fail(Blame::unsupported, "netem holds at most ", to_text(most), " of jitter");
}

std::uint32_t limit_for(const Effects& effects) {
  constexpr double packets_per_second = 200'000;
  constexpr double least = 1'000;
  constexpr double most = 1'000'000;
  return static_cast<std::uint32_t>(std::clamp(seconds(effects.delay + effects.jitter) * packets_per_second, least, most));
}

std::optional<Standing> standing(const netlink::Reply& reply) {
  if (reply.type() != RTM_NEWQDISC) return std::nullopt;
  const auto header = reply.header<tcmsg>();
  Standing found;
  found.device = header.tcm_ifindex;
  found.handle = header.tcm_handle;
  found.parent = header.tcm_parent;
  found.kind = netlink::text(reply.find(sizeof header, TCA_KIND));
  if (const auto options = reply.find(sizeof header, TCA_OPTIONS); options && found.kind == "netem") found.effects = effects_from(*options);
  const auto stats = reply.find(sizeof header, TCA_STATS2);
  if (!stats) return found;
  if (const auto basic = read_as<gnet_stats_basic>(netlink::find(*stats, TCA_STATS_BASIC))) found.packets = basic->packets;
  if (const auto queue = read_as<gnet_stats_queue>(netlink::find(*stats, TCA_STATS_QUEUE))) found.drops = queue->drops;
  return found;
}

bool same(const Effects& asked, const Effects& held) {
  return asked.delay == held.delay && asked.jitter == held.jitter && probability(asked.loss) == probability(held.loss);
}

}  // namespace arashi::netem
