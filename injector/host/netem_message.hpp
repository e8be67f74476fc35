// rtnetlink messages that put netem on some of a device's packets, and what the kernel says is there. Only bytes: no socket here.
//
// Outgoing: a prio qdisc with one band more than the usual three; a bpf filter sends the matched packets to that band, where netem is.
// Incoming: a bpf filter at clsact redirects them to an ifb device with netem, from which the kernel takes them back in.
#pragma once

#include "injector/host/impairment.hpp"
#include "injector/host/netlink.hpp"

#include <array>
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

// What netem can't do: a ramp, a burst, delays that are correlated in effect, more than 31 bits of nanoseconds of jitter.
// Blame::unsupported, with the reason.
Result<void> can_hold(const Effects& effects);

using Chances32 = std::array<std::uint32_t, 2>;  // share and correlation

// netem's settings as it says them itself (it does not say its distributions). Probabilities are of 2^32-1.
struct Settings {
  Duration delay{}, jitter{};
  std::uint32_t limit = 0, loss = 0, gap = 0, duplicate = 0;
  std::array<std::uint32_t, 3> correlations{};  // of delay, loss, duplicate
  Chances32 reorder{}, corrupt{};
  std::optional<std::array<std::uint32_t, 4>> gilbert_elliott;  // p, r, h, 1-k
  std::optional<std::array<std::uint32_t, 5>> four_state;       // p13, p31, p32, p14, p23
  std::uint64_t bytes_per_second = 0;
  std::int32_t packet_overhead = 0;
  std::uint32_t cell_size = 0;
  std::int32_t cell_overhead = 0;
  Duration slot_least{}, slot_most{}, slot_delay{}, slot_jitter{};
  std::int32_t slot_packets = 0, slot_bytes = 0;
  bool operator==(const Settings&) const = default;
};
// Losses with a correlation become the two-state model that has exactly this share and correlation, and thresholds for correlated chances
// are set so that the share is the one asked for: with netem's own random numbers, which crowd in the middle, it would be another.
Settings settings_for(const Effects& effects);

// A qdisc as a dump shows it. `settings` only for netem.
struct Standing {
  std::int32_t device = 0;
  std::string kind;
  std::uint32_t handle = 0, parent = 0;
  Settings settings;
  std::uint64_t packets = 0, drops = 0, requeues = 0;  // requeues: netem counts there what overtook
};
std::optional<Standing> standing(const netlink::Reply& reply);

}  // namespace arashi::netem
