// Units are types: text such as "300ms", "1.5%", "64K", "200/s" becomes one of these at the edge and nowhere else.
#pragma once

#include "injector/core/result.hpp"

#include <chrono>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

namespace arashi {

// All our durations and times. A time is since CLOCK_BOOTTIME's start on the machine where it was taken.
using Duration = std::chrono::nanoseconds;

struct Percent {
  double fraction = 0;  // 0.015 for 1.5 %; finite, 0 to 1
  auto operator<=>(const Percent&) const = default;
};

struct Bytes {
  std::uint64_t count = 0;
  auto operator<=>(const Bytes&) const = default;
};

struct Rate {
  double per_second = 0;  // finite, > 0
  auto operator<=>(const Rate&) const = default;
};

struct Bandwidth {
  std::uint64_t bits_per_second = 0;  // > 0
  auto operator<=>(const Bandwidth&) const = default;
};

// "0s", "250us", "20ms", "1.5s", "5m", "2h", "30d"; compounds "1m30s". A number without a unit is refused (unless 0),
// as are negatives and values over 100 years.
Result<Duration> parse_duration(std::string_view text);
// "1%", "0.05%"; must carry the sign, 0 to 100.
Result<Percent> parse_percent(std::string_view text);
// "512", "64K", "10M", "1G", also Ki/Mi/Gi; K = Ki = 1024.
Result<Bytes> parse_bytes(std::string_view text);
// "200/s", "30/m", "5/h".
Result<Rate> parse_rate(std::string_view text);
// "64kbit", "10mbit", "1.5gbit", "800bit", also with "/s" behind it; k is 1000, as in tc and on data sheets. tc's "mbps" (megabytes) is
// refused, as it is not what most people take it for.
Result<Bandwidth> parse_bandwidth(std::string_view text);

// The shortest text that parses back to the same value.
std::string to_text(Duration duration);
std::string to_text(Percent percent);
std::string to_text(Bytes bytes);
std::string to_text(Rate rate);
std::string to_text(Bandwidth bandwidth);

// Seconds as a double, for printing and arithmetic that is not kept.
constexpr double seconds(Duration duration) { return std::chrono::duration<double>(duration).count(); }

// CLOCK_BOOTTIME now: goes on in suspend, never jumps.
Duration boot_now();
// Wall clock as RFC 3339 UTC with milliseconds, for people and logs only.
std::string wall_clock_text();

}  // namespace arashi
