// Random numbers that are the same everywhere: <random>'s distributions differ by library.
#pragma once

#include <cstdint>

namespace arashi::load {

// splitmix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014).
constexpr std::uint64_t mixed(std::uint64_t value) {
  value += 0x9E3779B97F4A7C15U;
  value = (value ^ (value >> 30U)) * 0xBF58476D1CE4E5B9U;
  value = (value ^ (value >> 27U)) * 0x94D049BB133111EBU;
  return value ^ (value >> 31U);
}

// 0 <= drawn < 1.
constexpr double fraction(std::uint64_t drawn) { return static_cast<double>(drawn >> 11U) * 0x1p-53; }

// 0 … below-1; the error of the multiplication is below 2^-32 for what a spec can name.
constexpr std::uint64_t below(std::uint64_t drawn, std::uint64_t bound) {
  return static_cast<std::uint64_t>((static_cast<unsigned __int128>(drawn) * bound) >> 64U);
}

}  // namespace arashi::load
