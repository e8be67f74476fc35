// The kernel's table of tracked connections in a network namespace (ctnetlink).
#pragma once

#include "injector/core/cidr.hpp"
#include "injector/core/result.hpp"
#include "injector/host/netlink.hpp"

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

namespace arashi {

struct AddressPort {
  Cidr address;
  std::uint16_t port = 0;
  auto operator<=>(const AddressPort&) const = default;
};

// Where a UDP packet from `client`, which arrived at `here`, was going before its destination was translated; nothing if the kernel does
// not know. The socket is of Family::netfilter.
Result<std::optional<AddressPort>> original_destination(netlink::Socket& socket, const AddressPort& here, const AddressPort& client);

// An entry of UDP or TCP.
struct Tracked {
  std::uint8_t protocol = 0;
  AddressPort source, destination;  // as it was sent
  AddressPort answerer, asker;      // as they see each other: not the destination and the source, where these are translated
  netlink::Message removal;         // what takes exactly this entry away
};

// The entries of which `chosen` is true. Goes through the whole table, which takes some milliseconds. Socket of Family::netfilter.
Result<std::vector<Tracked>> tracked(netlink::Socket& socket, const std::function<bool(const Tracked&)>& chosen);

// Takes entries away: the next packet of each is met by the rules anew. One that has ended meanwhile is no error.
Result<void> forget(netlink::Socket& socket, std::vector<Tracked> entries);

// Blame::unsupported where the kernel has no ctnetlink.
Result<void> probe_conntrack();

}  // namespace arashi
