// What a network device loses when it goes down, and how it gets it back: its IPv6 addresses, routes and permanent neighbours.
#pragma once

#include "injector/core/json_fwd.hpp"
#include "injector/core/result.hpp"
#include "injector/host/device.hpp"
#include "injector/host/netlink.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>

namespace arashi {

// Name and index, and the kernel's own words (hexadecimal) for each address, route and permanent neighbour of the device.
// Blame::unsupported for what could not be put back: routes by nexthop objects, devices that others stand on (VLANs).
Result<Json> device_state(netlink::Socket& socket, const Device& device);
Device device_of(const Json& state);

// Whether it is up, also under another name by now; nothing when it is gone.
Result<std::optional<bool>> is_up(netlink::Socket& socket, const Device& device);
// Right if it is so already. Blame::missing when the device is gone.
enum class LinkState { down, up };
Result<void> set_link(netlink::Socket& socket, const Device& device, LinkState wanted);

// Brings it up if it is down, and puts back what a fall takes away; what stands there by now, ours or not, is left as it is. An IPv4
// address outlasts a fall: one that is missing was taken away by someone else, is left so, and told with drift_mark. Right when the device
// is gone, and when nothing is missing.
Result<void> restore_device(netlink::Socket& socket, const Json& state);

// How many of the addresses, routes and neighbours of `state` are there.
struct Remains {
  std::size_t had = 0, has = 0;
};
Result<Remains> remains_of(netlink::Socket& socket, const Json& state);

}  // namespace arashi
