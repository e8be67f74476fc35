// Addresses, routes and neighbours as the kernel told them, kept to ask for the same again. For device_state and device_routes.
#pragma once

#include "injector/core/keys.hpp"
#include "injector/core/result.hpp"
#include "injector/host/netlink.hpp"

#include <linux/netlink.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

namespace arashi::rtnetlink {

using Raw = std::vector<std::byte>;  // family header and attributes, as NEWADDR, NEWROUTE and NEWNEIGH take them

std::string hex_of(const Raw& raw);
Result<Raw> raw_of(std::string_view hex);
bool contains(const std::vector<Raw>& all, const Raw& one, bool (*same)(const Raw&, const Raw&));
bool same_raw(const Raw& left, const Raw& right);
// Makes a change; right if it is made already. `what`: for the error.
Result<void> ask(netlink::Socket& socket, netlink::Message message, std::string_view what);

template <class Header>
Header header_of(const Raw& raw) {
  Header header{};
  std::memcpy(&header, raw.data(), std::min(sizeof header, raw.size()));
  return header;
}

template <class Header>
netlink::Bytes attributes_of(const Raw& raw) {
  constexpr auto start = (sizeof(Header) + 3U) & ~std::size_t{3};
  return netlink::Bytes(raw).subspan(std::min(raw.size(), start));
}

template <class Header>
std::uint32_t number_in(const Raw& raw, std::uint16_t type) {
  return netlink::u32(netlink::find(attributes_of<Header>(raw), type)).value_or(0);
}

// Everything of IPv4, then of IPv6; `family`: the header's field.
template <class Header>
Result<std::vector<netlink::Reply>> dump_both(netlink::Socket& socket, std::uint16_t type, unsigned char Header::*family) {
  std::vector<netlink::Reply> all;
  for (const auto which : {AF_INET, AF_INET6}) {
    Header header{};
    header.*family = static_cast<unsigned char>(which);
    auto replies = TRY(socket.dump(netlink::Message(type, 0).header(header)));
    all.insert(all.end(), std::make_move_iterator(replies.begin()), std::make_move_iterator(replies.end()));
  }
  return all;
}

// The header, and the attributes but those named: an answer of the kernel as a request that asks for the same.
template <class Header>
Raw rebuilt(const Header& header, netlink::Bytes attributes, std::initializer_list<std::uint16_t> without) {
  netlink::Message message(0, 0);
  message.header(header);
  while (const auto attribute = netlink::cut_attribute(attributes))
    if (std::ranges::find(without, attribute->type) == without.end()) message.put(attribute->type, attribute->value);
  const auto whole = message.bytes().subspan(sizeof(nlmsghdr));
  return {whole.begin(), whole.end()};
}

}  // namespace arashi::rtnetlink

template <>
struct arashi::AsText<arashi::rtnetlink::Raw> {
  static std::string print(const rtnetlink::Raw& raw) { return rtnetlink::hex_of(raw); }
  static Result<rtnetlink::Raw> parse(std::string_view text) { return rtnetlink::raw_of(text); }
};
