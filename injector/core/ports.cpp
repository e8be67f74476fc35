#include "injector/core/ports.hpp"

#include <charconv>
#include <optional>

namespace arashi {

namespace {

std::optional<std::uint16_t> number_in(std::string_view text) {
  std::uint16_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return value;
}

}  // namespace

Result<PortRange> parse_ports(std::string_view text) {
  const auto dash = text.find('-');
  const auto first = number_in(text.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : number_in(text.substr(dash + 1));
  if (!first || !last || *first == 0) return fail(Blame::input, "'", text, "' is not a port (1 to 65535) or a range such as 8000-8100");
  if (*last < *first) return fail(Blame::input, "'", text, "' is a range that ends before it begins");
  return PortRange{*first, *last};
}

std::string to_text(PortRange range) {
  return range.first == range.last ? std::to_string(range.first) : std::to_string(range.first) + "-" + std::to_string(range.last);
}

}  // namespace arashi
