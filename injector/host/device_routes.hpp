// The routes by a network device, and how they come back after it was down.
#pragma once

#include "injector/host/rtnetlink_raw.hpp"

#include <cstdint>
#include <vector>

namespace arashi::rtnetlink {

// All but those that the kernel makes of addresses by itself; without what is the state of the moment.
Result<std::vector<Raw>> routes(netlink::Socket& socket, std::int32_t device);
bool uses_nexthop_object(const Raw& route);
// What of them is there is left as it is. The error is that of the last one that could not be put back.
Result<void> restore_routes(netlink::Socket& socket, std::int32_t device, const std::vector<Raw>& wanted);

}  // namespace arashi::rtnetlink
