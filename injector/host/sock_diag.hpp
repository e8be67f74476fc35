// TCP connections and UDP sockets of a network namespace, and a connection's end by the kernel (sock_diag(7), SOCK_DESTROY).
#pragma once

#include "injector/core/cidr.hpp"
#include "injector/core/result.hpp"
#include "injector/host/netlink.hpp"

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace arashi {

struct Connection {
  Cidr local, remote;
  std::uint16_t local_port = 0, remote_port = 0;
  bool opened_here = true;             // false: its local port has a listener, so it was opened by the peer
  std::uint8_t family = 0;             // of the socket, which may be IPv6 for IPv4 addresses
  std::uint64_t cgroup = 0;            // v2 id of the cgroup in which the socket was made; 0: the kernel does not say
  std::array<std::byte, 48> kernel{};  // inet_diag_sockid, with the cookie that tells one from its successor
};

// The open ones (established, or half closed). The socket is of Family::sock_diag.
Result<std::vector<Connection>> connections(netlink::Socket& socket);

// Sockets of UDP, in the same words: one that is not connected has no remote address.
Result<std::vector<Connection>> datagram_sockets(netlink::Socket& socket);

// Its owner sees ECONNABORTED, the peer gets an RST. False when it has ended by itself. Blame::unsupported where the kernel cannot.
Result<bool> destroy(netlink::Socket& socket, const Connection& connection);

Result<void> probe_sock_destroy();

// Whether the kernel tells in which cgroup a socket was made (Linux 5.9). Blame::unsupported with the reason.
Result<void> probe_socket_cgroups();

}  // namespace arashi
