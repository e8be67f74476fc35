#include "injector/host/conntrack.hpp"

#include "injector/host/netns.hpp"

#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>

#include <algorithm>
#include <cstring>

namespace arashi {

using netlink::Message;
using netlink::Socket;

namespace {

constexpr std::uint16_t get_entry = NFNL_SUBSYS_CTNETLINK << 8U | IPCTNL_MSG_CT_GET;

nfgenmsg header_for(const Cidr& address) {
  nfgenmsg header{};
  header.nfgen_family = address.v4() ? AF_INET : AF_INET6;
  return header;
}

std::span<const std::byte> bytes_of(const Cidr& address) {
  const auto whole = std::as_bytes(std::span(address.address));
  return address.v4() ? whole.subspan(12) : whole;
}

void put_port(Message& message, std::uint16_t type, std::uint16_t port) {
  const std::uint16_t wire = htons(port);
  message.put(type, std::as_bytes(std::span(&wire, 1)));
}

void put_tuple(Message& message, std::uint16_t type, const AddressPort& source, const AddressPort& destination) {
  const bool v4 = source.address.v4();
  const auto tuple = message.nest(type);
  const auto addresses = message.nest(CTA_TUPLE_IP);
  message.put(v4 ? CTA_IP_V4_SRC : CTA_IP_V6_SRC, bytes_of(source.address));
  message.put(v4 ? CTA_IP_V4_DST : CTA_IP_V6_DST, bytes_of(destination.address));
  message.end(addresses);
  const auto ports = message.nest(CTA_TUPLE_PROTO);
  const std::uint8_t udp = IPPROTO_UDP;
  message.put(CTA_PROTO_NUM, std::as_bytes(std::span(&udp, 1)));
  put_port(message, CTA_PROTO_SRC_PORT, source.port);
  put_port(message, CTA_PROTO_DST_PORT, destination.port);
  message.end(ports);
  message.end(tuple);
}

std::optional<AddressPort> destination_in(netlink::Bytes tuple) {
  const auto addresses = netlink::find(tuple, CTA_TUPLE_IP);
  const auto ports = netlink::find(tuple, CTA_TUPLE_PROTO);
  if (!addresses || !ports) return std::nullopt;
  const auto v4 = netlink::find(*addresses, CTA_IP_V4_DST);
  const auto v6 = netlink::find(*addresses, CTA_IP_V6_DST);
  const auto port = netlink::find(*ports, CTA_PROTO_DST_PORT);
  AddressPort found;
  auto* into = reinterpret_cast<std::byte*>(found.address.address.data());
  if (v4 && v4->size() == 4) {
    found.address.address = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
    std::ranges::copy(*v4, into + 12);
  } else if (v6 && v6->size() == 16) {
    std::ranges::copy(*v6, into);
  } else {
    return std::nullopt;
  }
  std::uint16_t wire = 0;
  if (!port || port->size() != sizeof wire) return std::nullopt;
  std::memcpy(&wire, port->data(), sizeof wire);
  found.port = ntohs(wire);
  return found;
}

}  // namespace

Result<std::optional<AddressPort>> original_destination(Socket& socket, const AddressPort& here, const AddressPort& client) {
  Message message(get_entry, 0);
  message.header(header_for(here.address));
  put_tuple(message, CTA_TUPLE_REPLY, here, client);
  const auto reply = TRY(socket.get(std::move(message)));
  if (!reply) return std::optional<AddressPort>{};
  const auto original = reply->find(sizeof(nfgenmsg), CTA_TUPLE_ORIG);
  return original ? destination_in(*original) : std::nullopt;
}

Result<void> probe_conntrack() {
  return in_new_netns([]() -> Result<void> {
    auto socket = TRY(Socket::open(Socket::Family::netfilter));
    const AddressPort nobody{.address = TRY(parse_cidr("127.0.0.1")), .port = 1};
    Message message(get_entry, 0);
    message.header(header_for(nobody.address));
    put_tuple(message, CTA_TUPLE_REPLY, nobody, nobody);
    netlink::Ack ack;
    TRY(socket.get(std::move(message), &ack));
    if (ack || ack.code == ENOENT) return {};
    return fail(Blame::unsupported, "this kernel does not tell of its tracked connections (", std::strerror(ack.code), ")");
  });
}

}  // namespace arashi
