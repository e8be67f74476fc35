// The kernel's table of tracked connections in a network namespace (ctnetlink).
#pragma once

#include "injector/core/result.hpp"
#include "injector/host/netlink.hpp"
#include "injector/host/traffic.hpp"

#include <cstdint>
#include <optional>

namespace arashi {

struct AddressPort {
  Cidr address;
  std::uint16_t port = 0;
  bool operator==(const AddressPort&) const = default;
};

// Where a UDP packet from `client`, which arrived at `here`, was going before its destination was translated; nothing if the kernel does
// not know. The socket is of Family::netfilter.
Result<std::optional<AddressPort>> original_destination(netlink::Socket& socket, const AddressPort& here, const AddressPort& client);

// Blame::unsupported where the kernel has no ctnetlink.
Result<void> probe_conntrack();

}  // namespace arashi
