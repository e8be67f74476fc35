#include "experiments/spec/document/text.hpp"

#include <algorithm>
#include <array>
#include <cstdio>

namespace arashi::spec {

namespace {

bool continues(char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U; }

// Overlong, a surrogate or beyond U+10FFFF: the first two bytes tell.
bool is_no_character(unsigned char first, unsigned char second) {
  switch (first) {
    case 0xE0:
      return second < 0xA0;
    case 0xED:
      return second > 0x9F;
    case 0xF0:
      return second < 0x90;
    case 0xF4:
      return second > 0x8F;
    default:
      return false;
  }
}

}  // namespace

std::size_t utf8_length(std::string_view text) {
  if (text.empty()) return 0;
  const auto first = static_cast<unsigned char>(text[0]);
  if (first < 0x80) return 1;
  const std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
  if (first < 0xC2 || first > 0xF4 || text.size() < length) return 0;
  const auto rest = text.substr(1, length - 1);
  if (!std::all_of(rest.begin(), rest.end(), continues)) return 0;
  return is_no_character(first, static_cast<unsigned char>(text[1])) ? 0 : length;
}

std::optional<Problem> find_foreign_byte(std::string_view text) {
  Where where{1, 1};
  for (std::size_t i = 0; i < text.size();) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const std::size_t length = utf8_length(text.substr(i));
    const bool control = byte < 0x20 && byte != '\n' && byte != '\r' && byte != '\t';
    if (length == 0 || control || byte == 0x7f) {
      std::array<char, 8> hex{};
      std::snprintf(hex.data(), hex.size(), "0x%02x", byte);
      return Problem{
          where, "",
          std::string("the byte ") + hex.data() + (length == 0 ? " is not UTF-8" : " is not text") + ": a spec is YAML or JSON in UTF-8"};
    }
    where = byte == '\n' ? Where{where.line + 1, 1} : Where{where.line, where.column + 1};
    i += length;
  }
  return std::nullopt;
}

}  // namespace arashi::spec
