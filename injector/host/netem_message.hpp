// rtnetlink messages that put netem on some of a device's packets, and what the kernel says is there. Only bytes: no socket here.
//
// Outgoing: a prio qdisc with one band more than the usual three; a bpf filter sends the matched packets to that band, where netem is.
// Incoming: a bpf filter at clsact redirects them to an ifb device with netem, from which the kernel takes them back in.
#pragma once

#include "injector/host/impairment.hpp"
#include "injector/host/netlink.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace arashi::netem {

// Handles, made from the injection's id: what stands under them is ours. Below 0x8000, where the kernel starts to number by itself.
struct Handles {
  std::uint32_t root = 0, netem = 0;
};
Handles handles_of(std::string_view id);
std::string ifb_name(std::string_view id, std::size_t ordinal);  // of the injection's ordinal-th device; at most 15 bytes

inline constexpr std::uint16_t faulty_band = 4;  // counted from 1, as class ids are

netlink::Message add_prio(std::int32_t device, const Handles& handles);
netlink::Message classify(std::int32_t device, const Handles& handles, int program, std::string_view name);
// As the device's root (an ifb's) or in the faulty band.
enum class Place { root, band };
netlink::Message add_netem(std::int32_t device, const Handles& handles, Place place, const Effects& effects,
                           std::optional<std::uint64_t> seed);
netlink::Message delete_root(std::int32_t device, std::uint32_t handle);

netlink::Message add_ifb(std::string_view name);
netlink::Message without_addresses(std::int32_t device);  // no IPv6 link-local one when it goes up
netlink::Message set_up(std::int32_t device);
netlink::Message delete_link(std::int32_t device);
// A filter of clsact's ingress whose program answers -1 for what is to go to the device `to`, 0 for the rest.
netlink::Message redirect(std::int32_t device, std::uint16_t priority, int program, std::string_view name, std::int32_t to);

// What netem can hold: jitter is 31 bits of nanoseconds. Blame::unsupported, with the limit.
Result<void> can_hold(const Effects& effects);
// So many packets that netem drops none by itself at 200,000 packets per second.
std::uint32_t limit_for(const Effects& effects);

// A qdisc as a dump shows it. `effects` only for netem.
struct Standing {
  std::int32_t device = 0;
  std::string kind;
  std::uint32_t handle = 0, parent = 0;
  Effects effects;
  std::uint64_t packets = 0, drops = 0;
};
std::optional<Standing> standing(const netlink::Reply& reply);

// Whether netem does what was asked, as exactly as it can hold it (loss: to 2^-32).
bool same(const Effects& asked, const Effects& held);

}  // namespace arashi::netem
