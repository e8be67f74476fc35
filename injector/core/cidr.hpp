// An IP address or a block of them, v4 and v6 in one form.
#pragma once

#include "injector/core/keys.hpp"
#include "injector/core/result.hpp"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace arashi {

// An address block, v4 kept as v4-mapped v6 (::ffff:10.0.0.0/104 for 10.0.0.0/8). Bits behind the prefix are zero.
struct Cidr {
  std::array<std::uint8_t, 16> address{};
  std::uint8_t prefix = 128;  // 0 to 128, counted in the mapped form
  [[nodiscard]] bool v4() const;
  [[nodiscard]] bool contains(const Cidr& other) const;
  auto operator<=>(const Cidr&) const = default;
};
Result<Cidr> parse_cidr(std::string_view text);  // "10.0.0.1", "10.0.0.0/8", "2001:db8::/32"
std::string to_text(const Cidr& cidr);           // v4 as v4; a single address without "/32" or "/128"

template <>
struct AsText<Cidr> {
  static std::string print(const Cidr& cidr) { return to_text(cidr); }
  static Result<Cidr> parse(std::string_view text) { return parse_cidr(text); }
};

}  // namespace arashi
