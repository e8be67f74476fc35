#include "injector/host/rtnetlink_raw.hpp"

#include <array>
#include <cerrno>
#include <charconv>
#include <string_view>
#include <utility>

namespace arashi::rtnetlink {

std::string hex_of(const Raw& raw) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (const auto byte : raw) {
    text += digits[std::to_integer<std::size_t>(byte) >> 4U];
    text += digits[std::to_integer<std::size_t>(byte) & 15U];
  }
  return text;
}

Result<Raw> raw_of(std::string_view hex) {
  if (hex.size() % 2 != 0) return fail(Blame::input, "hexadecimal bytes have two digits each");
  Raw raw;
  for (std::size_t at = 0; at < hex.size(); at += 2) {
    std::uint8_t value = 0;
    const auto* const end = hex.data() + at + 2;
    if (std::from_chars(hex.data() + at, end, value, 16).ptr != end) return fail(Blame::input, "'", hex.substr(at, 2), "' is no byte");
    raw.push_back(std::byte{value});
  }
  return raw;
}

bool contains(const std::vector<Raw>& all, const Raw& one, bool (*same)(const Raw&, const Raw&)) {
  return std::ranges::any_of(all, [&](const Raw& each) { return same(each, one); });
}

bool same_raw(const Raw& left, const Raw& right) { return left == right; }

Result<void> ask(netlink::Socket& socket, netlink::Message message, std::string_view what) {
  const auto ack = TRY(socket.change(std::move(message)));
  if (ack || ack.code == EEXIST) return {};
  return netlink::ack_fail(ack, what);
}

}  // namespace arashi::rtnetlink
