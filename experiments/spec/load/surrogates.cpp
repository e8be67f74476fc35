#include "experiments/spec/load/surrogates.hpp"

#include "injector/core/json.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdio>
#include <optional>
#include <tuple>

namespace arashi::spec {
namespace {

constexpr std::size_t escape_size = 6;  // \uXXXX

// Of "\uXXXX…": the number.
std::optional<std::uint32_t> escaped(std::string_view text) {
  std::uint32_t unit = 0;
  if (text.size() < escape_size || !text.starts_with("\\u")) return std::nullopt;
  const char* end = text.data() + escape_size;
  return std::from_chars(text.data() + 2, end, unit, 16).ptr == end ? std::optional(unit) : std::nullopt;
}

// The character of two escapes that make one; RFC 2781, section 2.2.
std::optional<std::uint32_t> pair(std::string_view text) {
  const auto high = escaped(text);
  const auto low = escaped(text.substr(std::min(escape_size, text.size())));
  if (!high || !low || *high < 0xD800 || *high > 0xDBFF || *low < 0xDC00 || *low > 0xDFFF) return std::nullopt;
  return 0x10000 + ((*high & 0x3FFU) << 10U) + (*low & 0x3FFU);
}

bool is_json(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r\n");
  return first != std::string_view::npos && (text[first] == '{' || text[first] == '[') && Json::accept(text);
}

void step(Where& where, char c) {
  if (c == '\n') where = {where.line + 1, 1};
  if (c != '\n' && (static_cast<unsigned char>(c) & 0xC0U) != 0x80U) ++where.column;
}

}  // namespace

Where Joined::before(Where where) const {
  const auto less = [](const Where& a, const Where& b) { return std::tie(a.line, a.column) < std::tie(b.line, b.column); };
  const auto first = std::ranges::lower_bound(pairs, Where{where.line, 0}, less);
  const auto behind = std::ranges::upper_bound(pairs, where, less);
  return {where.line, where.column + 2 * static_cast<int>(behind - first)};
}

Joined join_surrogates(std::string_view text) {
  Joined joined;
  if (text.find("\\u") == std::string_view::npos || !is_json(text)) return {std::string(text), {}};
  Where where{1, 1};
  while (!text.empty()) {
    const auto character = pair(text);
    std::string_view part = text.substr(0, text.front() == '\\' ? 2 : 1);  // an escaped backslash begins nothing
    std::array<char, 16> escape{};
    if (character) part = {escape.data(), static_cast<std::size_t>(std::snprintf(escape.data(), escape.size(), "\\U%08x", *character))};
    for (const char c : part) step(where, c);
    joined.text += part;
    if (character) joined.pairs.push_back(where);
    text.remove_prefix(character ? 2 * escape_size : part.size());
  }
  return joined;
}

}  // namespace arashi::spec
