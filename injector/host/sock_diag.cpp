#include "injector/host/sock_diag.hpp"

#include "injector/host/netns.hpp"

#include <arpa/inet.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <set>

namespace arashi {

using netlink::Message;
using netlink::Socket;

namespace {

constexpr std::uint16_t sock_destroy = 21;    // SOCK_DESTROY; <linux/sock_diag.h> has it, <linux/inet_diag.h> of some versions not
constexpr std::uint16_t diag_cgroup_id = 21;  // INET_DIAG_CGROUP_ID; not in older headers
constexpr std::uint32_t open_states = 1U << TCP_ESTABLISHED | 1U << TCP_FIN_WAIT1 | 1U << TCP_FIN_WAIT2 | 1U << TCP_CLOSE_WAIT;
static_assert(sizeof(inet_diag_sockid) == std::tuple_size_v<decltype(Connection::kernel)>);

inet_diag_req_v2 question(std::uint8_t family, std::uint32_t states, std::uint8_t protocol = IPPROTO_TCP) {
  inet_diag_req_v2 request{};
  request.sdiag_family = family;
  request.sdiag_protocol = protocol;
  request.idiag_states = states;
  return request;
}

// words: the four of an inet_diag_sockid.
Cidr address_of(std::uint8_t family, const __be32* words) {
  Cidr address;
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(words);
  if (family == AF_INET) {
    address.address = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    std::copy_n(bytes, 4, address.address.begin() + 12);
  } else {
    std::copy_n(bytes, 16, address.address.begin());
  }
  return address;
}

Connection connection_from(const netlink::Reply& reply) {
  const auto message = reply.header<inet_diag_msg>();
  Connection connection;
  if (const auto cgroup = reply.find(sizeof message, diag_cgroup_id); cgroup && cgroup->size() == sizeof connection.cgroup)
    std::memcpy(&connection.cgroup, cgroup->data(), sizeof connection.cgroup);
  connection.family = message.idiag_family;
  connection.local = address_of(message.idiag_family, message.id.idiag_src);
  connection.remote = address_of(message.idiag_family, message.id.idiag_dst);
  connection.local_port = ntohs(message.id.idiag_sport);
  connection.remote_port = ntohs(message.id.idiag_dport);
  const auto id = std::as_bytes(std::span(&message.id, 1));
  std::ranges::copy(id, connection.kernel.begin());
  return connection;
}

Result<std::vector<Connection>> in_states(Socket& socket, std::uint32_t states, std::uint8_t protocol = IPPROTO_TCP) {
  std::vector<Connection> found;
  for (const auto family : {AF_INET, AF_INET6}) {
    const auto request = question(static_cast<std::uint8_t>(family), states, protocol);
    for (const auto& reply : TRY(socket.dump(Message(SOCK_DIAG_BY_FAMILY, 0).header(request)))) found.push_back(connection_from(reply));
  }
  return found;
}

}  // namespace

Result<std::vector<Connection>> connections(Socket& socket) {
  auto found = TRY(in_states(socket, open_states));
  std::set<std::uint16_t> listening;
  for (const auto& listener : TRY(in_states(socket, 1U << TCP_LISTEN))) listening.insert(listener.local_port);
  for (auto& connection : found) connection.opened_here = !listening.contains(connection.local_port);
  return found;
}

Result<std::vector<Connection>> datagram_sockets(Socket& socket) {
  return in_states(socket, 1U << TCP_ESTABLISHED | 1U << TCP_CLOSE, IPPROTO_UDP);  // connected or not
}

Result<bool> destroy(Socket& socket, const Connection& connection) {
  auto request = question(connection.family, open_states);
  std::memcpy(&request.id, connection.kernel.data(), sizeof request.id);
  const auto ack = TRY(socket.change(Message(sock_destroy, 0).header(request)));
  if (ack) return true;
  if (ack.code == ENOENT) return false;
  return netlink::ack_fail(ack, "end a connection by SOCK_DESTROY");
}

Result<void> probe_socket_cgroups() {
  return in_new_netns([]() -> Result<void> {
    const Fd listener(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, IPPROTO_TCP));
    if (!listener || ::listen(listener.get(), 1) != 0) return sys_fail("listen in a network namespace made for trying");
    auto socket = TRY(Socket::open(Socket::Family::sock_diag));
    for (const auto& each : TRY(in_states(socket, 1U << TCP_LISTEN)))
      if (each.cgroup != 0) return {};
    return fail(Blame::unsupported, "this kernel does not tell in which cgroup a socket was made (Linux 5.9 and cgroup v2 do)");
  });
}

Result<void> probe_sock_destroy() {
  return in_new_netns([]() -> Result<void> {
    auto socket = TRY(Socket::open(Socket::Family::sock_diag));
    const auto nobody = question(AF_INET, open_states);
    const auto ack = TRY(socket.change(Message(sock_destroy, 0).header(nobody)));
    if (ack || ack.code == ENOENT || ack.code == EINVAL) return {};
    return fail(Blame::unsupported, "this kernel cannot end connections by SOCK_DESTROY (", std::strerror(ack.code), ")");
  });
}

}  // namespace arashi
