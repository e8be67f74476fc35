#include "agent/workers/dns_resend.hpp"

#include "injector/core/fd.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

namespace arashi::workers::dns {

namespace {

using arashi::dns::Bytes;

constexpr std::size_t largest_packet = 65535;
constexpr std::uint8_t hops = 64;

template <class Header>
void append(std::vector<std::byte>& packet, const Header& header) {
  std::ranges::copy(std::as_bytes(std::span(&header, 1)), std::back_inserter(packet));
}

// RFC 1071, over these bytes and what was summed up before.
std::uint32_t sum_of(Bytes bytes, std::uint32_t sum) {
  for (std::size_t i = 0; i < bytes.size(); ++i) sum += std::to_integer<std::uint32_t>(bytes[i]) << (i % 2 == 0 ? 8U : 0U);
  while (sum >> 16U != 0) sum = (sum & 0xffffU) + (sum >> 16U);
  return sum;
}

// With the pseudo header of RFC 768 and RFC 8200 8.1, which come to the same sum over addresses of 4 or 16 bytes.
std::uint16_t checksum(Bytes source, Bytes destination, const udphdr& header, Bytes query) {
  auto sum = sum_of(source, IPPROTO_UDP + ntohs(header.len));
  sum = sum_of(destination, sum);
  sum = sum_of(std::as_bytes(std::span(&header, 1)), sum);
  const auto folded = static_cast<std::uint16_t>(~sum_of(query, sum));
  return folded == 0 ? 0xffff : htons(folded);  // nothing stands for "no checksum"
}

std::vector<std::byte> datagram(Bytes source, Bytes destination, const AddressPort& client, const AddressPort& server, Bytes query) {
  udphdr header{};
  header.source = htons(client.port);
  header.dest = htons(server.port);
  header.len = htons(static_cast<std::uint16_t>(sizeof header + query.size()));
  header.check = checksum(source, destination, header, query);
  std::vector<std::byte> packet;
  if (source.size() == sizeof(in_addr)) {
    iphdr ip{};  // the kernel fills in length and checksum
    ip.version = 4;
    ip.ihl = sizeof ip / 4;
    ip.ttl = hops;
    ip.protocol = IPPROTO_UDP;
    std::memcpy(&ip.saddr, source.data(), source.size());
    std::memcpy(&ip.daddr, destination.data(), destination.size());
    append(packet, ip);
  } else {
    ip6_hdr ip{};
    ip.ip6_vfc = 6U << 4U;
    ip.ip6_plen = header.len;
    ip.ip6_nxt = IPPROTO_UDP;
    ip.ip6_hlim = hops;
    std::memcpy(&ip.ip6_src, source.data(), source.size());
    std::memcpy(&ip.ip6_dst, destination.data(), destination.size());
    append(packet, ip);
  }
  append(packet, header);
  std::ranges::copy(query, std::back_inserter(packet));
  return packet;
}

Result<void> send_packet(const std::vector<std::byte>& packet, const sockaddr* there, socklen_t length) {
  const Fd socket(::socket(there->sa_family, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW));
  if (!socket) return sys_fail("open a raw socket");
  if (::sendto(socket.get(), packet.data(), packet.size(), 0, there, length) < 0) return sys_fail("send a query in its client's name");
  return {};
}

}  // namespace

Result<void> send_as(const AddressPort& client, const AddressPort& server, Bytes query) {
  const bool v4 = server.address.v4();
  if (client.address.v4() != v4) return fail(Blame::input, "a client and a server of two families");
  if (query.size() + sizeof(udphdr) + sizeof(ip6_hdr) > largest_packet) return fail(Blame::input, "a query larger than a packet");
  const auto source = std::as_bytes(std::span(client.address.address)).subspan(v4 ? 12 : 0);
  const auto destination = std::as_bytes(std::span(server.address.address)).subspan(v4 ? 12 : 0);
  const auto packet = datagram(source, destination, client, server, query);
  if (v4) {
    sockaddr_in there{};
    there.sin_family = AF_INET;
    std::memcpy(&there.sin_addr, destination.data(), destination.size());
    return send_packet(packet, reinterpret_cast<const sockaddr*>(&there), sizeof there);
  }
  sockaddr_in6 there{};  // without a port, which raw sockets refuse
  there.sin6_family = AF_INET6;
  std::memcpy(&there.sin6_addr, destination.data(), destination.size());
  return send_packet(packet, reinterpret_cast<const sockaddr*>(&there), sizeof there);
}

}  // namespace arashi::workers::dns
