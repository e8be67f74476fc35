#include "injector/network/dns_redirect.hpp"

#include "injector/core/crc.hpp"
#include "injector/network/network_scope.hpp"
#include "injector/network/traffic.hpp"

#include <netinet/in.h>

#include <algorithm>
#include <set>
#include <utility>

namespace arashi {

namespace {

// Below the ports that the kernel gives by itself (ip_local_port_range begins with 32768).
constexpr std::uint32_t first_port = 10000, port_count = 20000, step = 2503;
constexpr std::size_t tries = 8;

bool holds(const std::vector<Cidr>& blocks, const Cidr& address) {
  return std::ranges::any_of(blocks, [&](const Cidr& block) { return block.contains(address); });
}

bool is_meant(const Traffic& traffic, const Cidr& server) {
  return !holds(traffic.except, server) && (traffic.peers.empty() || holds(traffic.peers, server));
}

bool is_loopback(const Cidr& address) {
  static const Cidr v4 = *parse_cidr("127.0.0.1"), v6 = *parse_cidr("::1");
  return address == v4 || address == v6;
}

bool is_redirected(const Tracked& entry, const std::vector<std::uint16_t>& ports) {
  return is_loopback(entry.answerer.address) && std::ranges::find(ports, entry.answerer.port) != ports.end();
}

}  // namespace

std::vector<std::uint16_t> redirect_ports(std::string_view id) {
  std::vector<std::uint16_t> ports;
  auto next = crc32c(id) % port_count;
  for (; ports.size() < tries; next = (next + step) % port_count) ports.push_back(static_cast<std::uint16_t>(first_port + next));
  return ports;
}

Result<void> forget_earlier_queries(const Host& host, const Netns& netns, const Traffic& traffic, const std::optional<SocketCgroup>& cgroup,
                                    const std::vector<std::uint16_t>& ports) {
  const auto inside = TRY(open_netns(host, netns));
  auto sockets = TRY(netlink::Socket::open(inside, netlink::Socket::Family::sock_diag));
  std::set<std::uint16_t> own;
  for (const auto& each : TRY(datagram_sockets_of(host, sockets, cgroup))) own.insert(each.local_port);
  auto table = TRY(netlink::Socket::open(inside, netlink::Socket::Family::netfilter));
  return forget(table, TRY(tracked(table, [&](const Tracked& entry) {
                  const bool is_answer = entry.source.port == dns_port;
                  const auto& client = is_answer ? entry.destination : entry.source;
                  const auto& server = is_answer ? entry.source : entry.destination;
                  return entry.protocol == IPPROTO_UDP && server.port == dns_port && own.contains(client.port) &&
                         is_meant(traffic, server.address) && !is_redirected(entry, ports);
                })));
}

Result<std::vector<Tracked>> redirected(netlink::Socket& socket, const std::vector<std::uint16_t>& ports) {
  return tracked(socket, [&](const Tracked& entry) { return entry.destination.port == dns_port && is_redirected(entry, ports); });
}

Result<void> forget_redirected(const Host& host, const Netns& netns, const std::vector<std::uint16_t>& ports) {
  const auto inside = open_netns(host, netns);
  if (!inside && inside.error().blame == Blame::missing) return {};
  if (!inside) return pass(inside.error());
  auto table = TRY(netlink::Socket::open(*inside, netlink::Socket::Family::netfilter));
  auto entries = redirected(table, ports);
  if (!entries && entries.error().blame == Blame::unsupported) return {};  // so nothing is tracked
  if (!entries) return pass(entries.error());
  return forget(table, std::move(*entries));
}

}  // namespace arashi
