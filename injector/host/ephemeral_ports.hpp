// The ports that the kernel gives to connections by itself (ip(7), ip_local_port_range), and room to hold them.
#pragma once

#include "injector/core/fd.hpp"
#include "injector/core/result.hpp"
#include "injector/host/host.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace arashi {

// From the two sysctls' texts: "32768\t60999" and "8080,9000-9010" (these are never given). In order. Pure.
Result<std::vector<std::uint16_t>> ephemeral_from(std::string_view range, std::string_view reserved);

// Those of a network namespace. IPv4 and IPv6 share them.
Result<std::vector<std::uint16_t>> ephemeral_ports(const Host& host, const Fd& netns);

// How many sockets one process may hold here, by its hard limit of descriptors and with some left for its own files.
std::size_t most_sockets_of_a_process();

// Blame::refused where so many more sockets would take memory or descriptors that the rest of the machine needs.
Result<void> check_room_for_sockets(const Host& host, std::size_t sockets);

}  // namespace arashi
