// Devices, their qdiscs and filters, by rtnetlink.
#pragma once

#include "injector/core/cidr.hpp"
#include "injector/core/result.hpp"
#include "injector/host/device.hpp"
#include "injector/host/host.hpp"
#include "injector/host/netlink.hpp"
#include "injector/host/netns.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace arashi {

struct Link {
  Device device;
  bool up = false, loopback = false;
  std::uint32_t mtu = 0;
  bool ethernet = false;  // has Ethernet frames (loopback has them too)
  bool bare = false;      // its packets begin with their IP header: tun, WireGuard, IP tunnels
  bool ours = false;      // made by a fault, which says so in its alias
  bool stacked = false;   // its packets also pass another device of the namespace: a port of a bridge or bond, a VLAN
};
inline constexpr std::string_view our_alias = "arashi fault";  // of a device that a fault makes in a namespace of others
Result<std::vector<Link>> links(netlink::Socket& socket);

// By which device this address is reached; nothing if there is no route.
Result<std::optional<std::int32_t>> route_device(netlink::Socket& socket, const Cidr& peer);

struct FamilySet {
  bool v4 = false, v6 = false;
};
// The addresses by which others reach the namespace: not loopback's, not link-local ones.
Result<std::vector<Cidr>> addresses(netlink::Socket& socket);

// Which families have an address other than loopback's (v6: other than link-local too) in the namespace.
Result<FamilySet> families(netlink::Socket& socket);

// Whether this device has this very address.
Result<bool> has_address(netlink::Socket& socket, std::int32_t device, const Cidr& address);

struct Qdisc {
  std::int32_t device = 0;
  std::string kind;
  std::uint32_t handle = 0, parent = 0;
};
Result<std::vector<Qdisc>> qdiscs(netlink::Socket& socket, std::int32_t device);

struct Filter {
  std::string kind;
  std::string name;  // of a bpf filter
  std::uint32_t handle = 0, program = 0, parent = 0;
  std::uint16_t priority = 0, protocol = 0;  // protocol in host byte order
};
enum class Hook { egress, ingress };  // of clsact
Result<std::vector<Filter>> filters(netlink::Socket& socket, std::int32_t device, Hook hook);

// Makes clsact if the device has none; EEXIST is not an error. Whether it was made. Blame::unsupported where an "ingress" qdisc is in its
// place.
Result<bool> ensure_clsact(netlink::Socket& socket, std::int32_t device);
Result<void> remove_clsact(netlink::Socket& socket, std::int32_t device);  // right also when there is none

// A namespace opened for looking and changing. Blame::missing when it is gone.
Result<netlink::Socket> socket_in(const Host& host, const Netns& netns);

// A direct-action bpf filter in front of the others. Its name is what it is found by later. Under the parent by which the others are there:
// the kernel would show them under ours from then on. `present`: what is there, as filters() tells.
Result<void> add_filter(netlink::Socket& socket, std::int32_t device, Hook hook, int program, const std::string& name,
                        const std::vector<Filter>& present);
Result<void> remove_filter(netlink::Socket& socket, std::int32_t device, Hook hook, const Filter& filter);

}  // namespace arashi
