// What loopback needs so that it takes back a packet that was away. A packet on loopback has its route with it; one that comes from another
// device has none, and the kernel then refuses 127.0.0.0/8 and its own addresses as senders, unless these two settings of the device allow
// it. They open nothing: what comes by loopback was made on this machine.
#pragma once

#include "injector/core/keys.hpp"
#include "injector/core/result.hpp"
#include "injector/host/netlink.hpp"
#include "injector/network/impairment.hpp"

#include <cstdint>
#include <optional>

namespace arashi::loopback {

// How the settings were.
struct Before {
  std::uint32_t route_localnet = 0, accept_local = 0;
  static constexpr auto keys = std::tuple(key("route_localnet", &Before::route_localnet), key("accept_local", &Before::accept_local));
};
using Note = std::optional<Before>;

// Notes how they are now, where IPv4 packets of loopback will be away.
Result<Note> note(netlink::Socket& socket, const Impairment& impairment);
// Does nothing without such a note.
Result<void> open_up(netlink::Socket& socket, const Impairment& impairment, const Note& note);
// Puts back what was 0 and is still 1. Right twice, and when the namespace has another value by now.
Result<void> settle(netlink::Socket& socket, const Impairment& impairment, const Note& note);

}  // namespace arashi::loopback
