// What loopback needs so that it takes back a packet that was away. A packet on loopback has its route with it; one that comes from a tap
// has none, and the kernel then refuses 127.0.0.0/8 and its own addresses as senders, unless these two settings of the device allow it.
// They open nothing: what comes by loopback was made on this machine.
#pragma once

#include "injector/core/json_fwd.hpp"
#include "injector/core/result.hpp"
#include "injector/host/netlink.hpp"

#include <cstdint>

namespace arashi::loopback {

// The values of route_localnet and accept_local now, to be kept until settle().
Result<Json> settings(netlink::Socket& socket, std::int32_t device);
Result<void> open_up(netlink::Socket& socket, std::int32_t device);
// Puts back what was 0 and is still 1. Right twice, and when the namespace has another value by now.
Result<void> settle(netlink::Socket& socket, std::int32_t device, const Json& before);

}  // namespace arashi::loopback
