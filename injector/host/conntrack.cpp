#include "injector/host/conntrack.hpp"

#include "injector/host/netns.hpp"

#include <arpa/inet.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <linux/netlink.h>
#include <netinet/in.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

namespace arashi {

using netlink::Message;
using netlink::Socket;

namespace {

constexpr std::uint16_t get_entry = NFNL_SUBSYS_CTNETLINK << 8U | IPCTNL_MSG_CT_GET;
constexpr std::uint16_t delete_entry = NFNL_SUBSYS_CTNETLINK << 8U | IPCTNL_MSG_CT_DELETE;

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

struct Kinds {
  std::uint16_t v4, v6, port;  // of the attributes of one end
};
constexpr Kinds source_kinds{CTA_IP_V4_SRC, CTA_IP_V6_SRC, CTA_PROTO_SRC_PORT};
constexpr Kinds destination_kinds{CTA_IP_V4_DST, CTA_IP_V6_DST, CTA_PROTO_DST_PORT};

std::optional<AddressPort> end_in(netlink::Bytes tuple, const Kinds& kinds) {
  const auto addresses = netlink::find(tuple, CTA_TUPLE_IP);
  const auto ports = netlink::find(tuple, CTA_TUPLE_PROTO);
  if (!addresses || !ports) return std::nullopt;
  const auto v4 = netlink::find(*addresses, kinds.v4);
  const auto v6 = netlink::find(*addresses, kinds.v6);
  const auto port = netlink::find(*ports, kinds.port);
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

std::uint8_t protocol_in(netlink::Bytes tuple) {
  const auto ports = netlink::find(tuple, CTA_TUPLE_PROTO);
  const auto number = ports ? netlink::find(*ports, CTA_PROTO_NUM) : std::nullopt;
  return number && !number->empty() ? std::to_integer<std::uint8_t>(number->front()) : std::uint8_t{0};
}

// Exactly that entry: its id tells it from a later one between the same ends.
Message without(const netlink::Reply& entry) {
  Message message(delete_entry, 0);
  message.header(entry.header<nfgenmsg>());
  if (const auto sent = entry.find(sizeof(nfgenmsg), CTA_TUPLE_ORIG)) message.put(CTA_TUPLE_ORIG | NLA_F_NESTED, *sent);
  for (const std::uint16_t kind : {CTA_ZONE, CTA_ID})
    if (const auto value = entry.find(sizeof(nfgenmsg), kind)) message.put(kind, *value);
  return message;
}

std::optional<Tracked> tracked_in(const netlink::Reply& reply) {
  const auto sent = reply.find(sizeof(nfgenmsg), CTA_TUPLE_ORIG);
  const auto answered = reply.find(sizeof(nfgenmsg), CTA_TUPLE_REPLY);
  if (!sent || !answered) return std::nullopt;
  const auto source = end_in(*sent, source_kinds), destination = end_in(*sent, destination_kinds);
  const auto answerer = end_in(*answered, source_kinds), asker = end_in(*answered, destination_kinds);
  const auto protocol = protocol_in(*sent);
  if (!source || !destination || !answerer || !asker || (protocol != IPPROTO_UDP && protocol != IPPROTO_TCP)) return std::nullopt;
  return Tracked{.protocol = protocol,
                 .source = *source,
                 .destination = *destination,
                 .answerer = *answerer,
                 .asker = *asker,
                 .removal = without(reply)};
}

}  // namespace

Result<std::optional<AddressPort>> original_destination(Socket& socket, const AddressPort& here, const AddressPort& client) {
  Message message(get_entry, 0);
  message.header(header_for(here.address));
  put_tuple(message, CTA_TUPLE_REPLY, here, client);
  const auto reply = TRY(socket.get(std::move(message)));
  if (!reply) return std::optional<AddressPort>{};
  const auto original = reply->find(sizeof(nfgenmsg), CTA_TUPLE_ORIG);
  return original ? end_in(*original, destination_kinds) : std::nullopt;
}

Result<std::vector<Tracked>> tracked(Socket& socket, const std::function<bool(const Tracked&)>& chosen) {
  std::vector<Tracked> found;
  for (const auto& entry : TRY(socket.dump(Message(get_entry, 0).header(nfgenmsg{}))))  // of both families
    if (auto one = tracked_in(entry); one && chosen(*one)) found.push_back(std::move(*one));
  return found;
}

Result<void> forget(Socket& socket, std::vector<Tracked> entries) {
  for (auto& entry : entries) {
    const auto ack = TRY(socket.change(std::move(entry.removal)));
    if (!ack && ack.code != ENOENT) return netlink::ack_fail(ack, "forget a tracked connection");
  }
  return {};
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
