// What a network device loses when it goes down, and how it gets it back: its IPv6 addresses, routes and permanent neighbours.
#pragma once

#include "injector/core/keys.hpp"
#include "injector/core/result.hpp"
#include "injector/host/device.hpp"
#include "injector/host/netlink.hpp"
#include "injector/host/rtnetlink_raw.hpp"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

namespace arashi {

// The device, and the kernel's own words for each address, route and permanent neighbour of it.
struct DeviceState {
  Device device;
  std::vector<rtnetlink::Raw> addresses, routes, neighbours;
  static constexpr auto keys = std::tuple(key("device", &DeviceState::device), key("addresses", &DeviceState::addresses),
                                          key("routes", &DeviceState::routes), key("neighbours", &DeviceState::neighbours));
};
// Blame::unsupported for what could not be put back: routes by nexthop objects, devices that others stand on (VLANs).
Result<DeviceState> device_state(netlink::Socket& socket, const Device& device);

// Whether it is up, also under another name by now; nothing when it is gone.
Result<std::optional<bool>> is_up(netlink::Socket& socket, const Device& device);
// Right if it is so already. Blame::missing when the device is gone.
enum class LinkState { down, up };
Result<void> set_link(netlink::Socket& socket, const Device& device, LinkState wanted);

// Brings it up if it is down, and puts back what a fall takes away; what stands there by now, ours or not, is left as it is. An IPv4
// address outlasts a fall: one that is missing was taken away by someone else, is left so, and told as Code::drifted. Right when the device
// is gone, and when nothing is missing.
Result<void> restore_device(netlink::Socket& socket, const DeviceState& state);

// How many of the addresses, routes and neighbours of `state` are there.
struct Remains {
  std::size_t had = 0, has = 0;
};
Result<Remains> remains_of(netlink::Socket& socket, const DeviceState& state);

}  // namespace arashi
