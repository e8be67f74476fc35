// rtnetlink messages that put netem on some of a device's packets, and what the kernel says is there. Only bytes: no socket here.
//
// The packets go through a pair of veth devices of ours: a bpf filter at the device's clsact sends them into the near end, whose qdisc is
// netem; what comes out at the far end goes where it was going. So the device's own qdiscs and filters stay, and work.
#pragma once

#include "injector/host/netlink.hpp"
#include "injector/network/impairment.hpp"

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace arashi::netem {

// Handles, made from the injection's id: what stands under them is ours. Below 0x8000, where the kernel starts to number by itself.
std::uint32_t handle_of(std::string_view id);  // of the near end's root qdisc
std::uint32_t netem_handle(std::uint32_t root, const Effects& effects);
enum class End { near, far };
std::string end_name(std::string_view id, std::size_t lane, End end);  // lane: one direction of one device; at most 15 bytes

// A rate with a burst is a tbf, with netem below it; else netem is the root and has the rate.
netlink::Message add_tbf(std::int32_t device, std::uint32_t root, const LinkRate& rate);
// With a ramp: as it begins.
netlink::Message add_netem(std::int32_t device, std::uint32_t root, const Effects& effects, std::optional<std::uint64_t> seed);

netlink::Message add_pair(std::string_view near, std::string_view far);
netlink::Message without_addresses(std::int32_t device);  // no IPv6 link-local one when it goes up
netlink::Message set_up(std::int32_t device);             // and no ARP
netlink::Message delete_link(std::int32_t device);        // of a pair: both ends

// What netem can't do: a burst with overheads or a ramp, delays that are correlated in effect, more than 31 bits of nanoseconds of jitter.
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
// To other settings; its distributions and slots stay.
netlink::Message change_netem(std::int32_t device, std::uint32_t root, const Settings& settings, std::optional<std::uint64_t> seed);

// A qdisc as a dump shows it. `settings` only for netem.
struct Standing {
  std::int32_t device = 0;
  std::string kind;
  std::uint32_t handle = 0, parent = 0;
  Settings settings;
  std::uint64_t bytes_per_second = 0, burst = 0;       // of tbf
  std::uint64_t packets = 0, drops = 0, requeues = 0;  // requeues: netem counts there what overtook
};
std::optional<Standing> standing(const netlink::Reply& reply);

}  // namespace arashi::netem
