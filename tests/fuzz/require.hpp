// What fuzz targets share.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <string_view>

namespace arashi::fuzz {

// What must hold of any input; libFuzzer takes the abort for a finding.
inline void require(bool holds) {
  if (!holds) std::abort();
}

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) { return {reinterpret_cast<const char*>(data), size}; }

// Cuts off and returns all up to the first line end: a target's settings, before its input.
inline std::string_view take_line(std::string_view& input) {
  const auto end = input.find('\n');
  const std::string_view line = input.substr(0, end);
  input.remove_prefix(end == std::string_view::npos ? input.size() : end + 1);
  return line;
}

}  // namespace arashi::fuzz
