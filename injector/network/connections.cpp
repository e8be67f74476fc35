#include "injector/network/connections.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace arashi {

namespace {

bool in_any(const std::vector<Cidr>& blocks, const Cidr& address) {
  return std::ranges::any_of(blocks, [&](const Cidr& block) { return block.contains(address); });
}

bool in_any(const std::vector<PortRange>& ranges, std::uint16_t port) {
  return std::ranges::any_of(ranges, [&](const PortRange& range) { return port >= range.first && port <= range.last; });
}

bool is_control(const Traffic& traffic, const Connection& connection) {
  const auto port = traffic.control_port;
  return port != 0 && (connection.remote_port == port || (traffic.at_home && connection.local_port == port));
}

// FNV-1a and a finish that spreads (Stafford's mix 13).
std::uint64_t lot_of(const Connection& connection, std::uint64_t seed) {
  std::uint64_t value = 0xcbf29ce484222325ULL ^ seed;
  const auto take = [&value](std::uint8_t byte) { value = (value ^ byte) * 0x100000001b3ULL; };
  for (const auto* address : {&connection.local.address, &connection.remote.address})
    for (const auto byte : *address) take(byte);
  for (const auto port : {connection.local_port, connection.remote_port}) {
    take(static_cast<std::uint8_t>(port >> 8U));
    take(static_cast<std::uint8_t>(port));
  }
  value = (value ^ (value >> 30U)) * 0xbf58476d1ce4e5b9ULL;
  value = (value ^ (value >> 27U)) * 0x94d049bb133111ebULL;
  return value ^ (value >> 31U);
}

}  // namespace

bool matches(const Traffic& traffic, const Connection& connection) {
  if (is_control(traffic, connection) || in_any(traffic.except, connection.remote)) return false;
  if (!(connection.opened_here ? traffic.egress : traffic.ingress)) return false;
  if (!traffic.peers.empty() && !in_any(traffic.peers, connection.remote)) return false;
  if (!traffic.ports.empty() && !in_any(traffic.ports, connection.remote_port)) return false;
  return traffic.local_ports.empty() || in_any(traffic.local_ports, connection.local_port);
}

std::vector<Connection> picked(const std::vector<Connection>& all, const Traffic& traffic, double share, std::uint64_t seed) {
  std::vector<std::pair<std::uint64_t, const Connection*>> lots;
  for (const auto& connection : all)
    if (matches(traffic, connection)) lots.emplace_back(lot_of(connection, seed), &connection);
  std::ranges::sort(lots);
  lots.resize(static_cast<std::size_t>(std::llround(share * static_cast<double>(lots.size()))));
  std::vector<Connection> chosen;
  chosen.reserve(lots.size());
  for (const auto& [lot, connection] : lots) chosen.push_back(*connection);
  return chosen;
}

}  // namespace arashi
