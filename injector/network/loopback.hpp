// What loopback needs so that it takes back a packet that was away. A packet on loopback has its route with it; one that comes from another
// device has none, and the kernel then refuses 127.0.0.0/8 and its own addresses as senders, unless these two settings of the device allow
// it. They open nothing: what comes by loopback was made on this machine.
#pragma once

#include "injector/core/json_fwd.hpp"
#include "injector/core/result.hpp"
#include "injector/host/netlink.hpp"
#include "injector/network/impairment.hpp"

#include <cstdint>

namespace arashi::loopback {

// Notes in `notes` how route_localnet and accept_local are now, where IPv4 packets of loopback will be away.
Result<void> note(netlink::Socket& socket, const Impairment& impairment, Json& notes);
// Does nothing without such a note.
Result<void> open_up(netlink::Socket& socket, const Impairment& impairment, const Json& notes);
// Puts back what was 0 and is still 1. Right twice, and when the namespace has another value by now.
Result<void> settle(netlink::Socket& socket, const Impairment& impairment, const Json& notes);
bool is_noted(const Json& notes);

}  // namespace arashi::loopback
