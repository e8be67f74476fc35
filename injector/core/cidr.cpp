#include "injector/core/cidr.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <optional>

namespace arashi {

namespace {

constexpr std::array<std::uint8_t, 12> mapped_prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};
constexpr std::uint8_t mapped_bits = 96;

std::optional<std::uint8_t> length_from(std::string_view text) {
  std::uint8_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

void clear_behind_prefix(Cidr& cidr) {
  for (unsigned bit = cidr.prefix; bit < 128; ++bit)
    cidr.address.at(bit / 8) = static_cast<std::uint8_t>(cidr.address.at(bit / 8) & ~(0x80U >> (bit % 8)));
}

}  // namespace

bool Cidr::v4() const { return prefix >= mapped_bits && std::equal(mapped_prefix.begin(), mapped_prefix.end(), address.begin()); }

bool Cidr::contains(const Cidr& other) const {
  if (other.prefix < prefix) return false;
  Cidr cut = other;
  cut.prefix = prefix;
  clear_behind_prefix(cut);
  return cut.address == address;
}

Result<Cidr> parse_cidr(std::string_view text) {
  const auto slash = text.find('/');
  const std::string address(text.substr(0, slash));
  Cidr cidr;
  std::uint8_t base = 0;
  std::uint8_t longest = 128;
  if (inet_pton(AF_INET, address.c_str(), &cidr.address.at(mapped_prefix.size())) == 1) {
    std::copy(mapped_prefix.begin(), mapped_prefix.end(), cidr.address.begin());
    base = mapped_bits;
    longest = 32;
  } else if (inet_pton(AF_INET6, address.c_str(), cidr.address.data()) != 1) {
    return fail(Blame::input, "'", text, "' is not an IP address or block, such as 10.0.0.1, 10.0.0.0/8 or 2001:db8::/32");
  }
  std::uint8_t length = longest;
  if (slash != std::string_view::npos) {
    const auto given = length_from(text.substr(slash + 1));
    if (!given || *given > longest)
      return fail(Blame::input, "'", text, "': the prefix length must lie between 0 and ", static_cast<int>(longest));
    length = *given;
  }
  cidr.prefix = static_cast<std::uint8_t>(base + length);
  clear_behind_prefix(cidr);
  return cidr;
}

std::string to_text(const Cidr& cidr) {
  std::array<char, INET6_ADDRSTRLEN> text{};
  const bool v4 = cidr.v4();
  const void* address = v4 ? &cidr.address.at(mapped_prefix.size()) : cidr.address.data();
  inet_ntop(v4 ? AF_INET : AF_INET6, address, text.data(), text.size());
  if (cidr.prefix == 128) return text.data();
  return std::string(text.data()) + "/" + std::to_string(cidr.prefix - (v4 ? mapped_bits : 0));
}

}  // namespace arashi
