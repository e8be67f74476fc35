// Which TCP connections are of a fault's traffic.
#pragma once

#include "injector/host/sock_diag.hpp"
#include "injector/network/traffic.hpp"

#include <cstdint>
#include <vector>

namespace arashi {

// Whether it is of the traffic. The control path never is.
bool matches(const Traffic& traffic, const Connection& connection);

// Those of the traffic that chance picks: of n matching ones share × n, rounded; which ones is decided by addresses, ports and the seed.
std::vector<Connection> picked(const std::vector<Connection>& all, const Traffic& traffic, double share, std::uint64_t seed);

}  // namespace arashi
