// Port numbers as a spec writes them.
#pragma once

#include "injector/core/keys.hpp"
#include "injector/core/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace arashi {

struct PortRange {
  std::uint16_t first = 0, last = 0;
  auto operator<=>(const PortRange&) const = default;
};
Result<PortRange> parse_ports(std::string_view text);  // "6379", "8000-8100"
std::string to_text(PortRange range);

template <>
struct AsText<PortRange> {
  static std::string print(PortRange range) { return to_text(range); }
  static Result<PortRange> parse(std::string_view text) { return parse_ports(text); }
};

}  // namespace arashi
