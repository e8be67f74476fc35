#include "injector/core/units.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <limits>
#include <optional>

namespace arashi {

namespace {

struct Unit {
  std::string_view name;
  double size;
};

// A number and the text behind it; the number is finite and not negative.
struct Scanned {
  double number = 0;
  std::string_view rest;
};

std::optional<Scanned> scan(std::string_view text) {
  Scanned found;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), found.number, std::chars_format::fixed);
  if (error != std::errc{} || !std::isfinite(found.number) || std::signbit(found.number)) return std::nullopt;
  found.rest = text.substr(static_cast<std::size_t>(end - text.data()));
  return found;
}

constexpr std::array duration_units{Unit{"ns", 1},   Unit{"us", 1e3},   Unit{"ms", 1e6},   Unit{"s", 1e9},
                                    Unit{"m", 60e9}, Unit{"h", 3600e9}, Unit{"d", 86400e9}};
constexpr double longest = 100.0 * 365.25 * 86400e9;  // 100 years

constexpr std::array bandwidth_units{Unit{"bit", 1}, Unit{"kbit", 1e3}, Unit{"mbit", 1e6}, Unit{"gbit", 1e9}, Unit{"tbit", 1e12}};

// The longest alphabetic prefix is the unit's name.
std::string_view take_word(std::string_view& text) {
  std::size_t length = 0;
  while (length < text.size() && std::isalpha(static_cast<unsigned char>(text[length])) != 0) ++length;
  const auto word = text.substr(0, length);
  text.remove_prefix(length);
  return word;
}

const Unit* find_unit(std::string_view name) {
  for (const auto& unit : duration_units)
    if (unit.name == name) return &unit;
  return nullptr;
}

struct Part {  // of a duration
  double number;
  const Unit* unit;
};

// Takes a number and its unit from the front. The error says only why there is none.
Result<Part> take_part(std::string_view& rest) {
  const auto number = scan(rest);
  if (!number) return fail(Blame::input, rest.front() == '-' ? "it is negative" : "a number is expected");
  rest = number->rest;
  const auto word = take_word(rest);
  if (word.empty() && rest.empty()) return fail(Blame::input, "it has no unit");
  if (word.empty()) return fail(Blame::input, "a unit is expected at '", rest, "'");
  const auto* unit = find_unit(word);
  if (unit == nullptr) return fail(Blame::input, "unknown unit '", word, "'");
  return Part{number->number, unit};
}

std::string number_text(double value) {
  std::array<char, 64> buffer{};
  const auto [end, error] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::fixed);
  return error == std::errc{} ? std::string(buffer.data(), end) : std::string("?");
}

}  // namespace

Result<Duration> parse_duration(std::string_view text) {
  const auto wrong = [text](std::string_view why) {
    return fail(Blame::input, "'", text, "' is not a duration: ", why, " (write it as 250us, 20ms, 1.5s, 5m, 2h or 30d)");
  };
  if (text == "0") return Duration{0};
  if (text.empty()) return wrong("it is empty");
  double total = 0;
  double last_size = std::numeric_limits<double>::infinity();
  std::string_view rest = text;
  while (!rest.empty()) {
    const auto part = take_part(rest);
    if (!part) return wrong(part.error().message);
    if (part->unit->size >= last_size) return wrong("its units must go from large to small");
    last_size = part->unit->size;
    total += part->number * part->unit->size;
  }
  if (total > longest) return wrong("it is longer than 100 years");
  return Duration{std::llround(total)};
}

Result<Percent> parse_percent(std::string_view text) {
  const auto wrong = [text](std::string_view why) {
    return fail(Blame::input, "'", text, "' is not a percentage: ", why, " (write it as 1% or 0.05%)");
  };
  const auto part = scan(text);
  if (!part) return wrong("a number from 0 to 100 is expected");
  if (part->rest != "%") return wrong("the % sign is missing");
  if (part->number > 100) return wrong("it is over 100%");
  return Percent{part->number / 100};
}

Result<Bytes> parse_bytes(std::string_view text) {
  const auto wrong = [text](std::string_view why) {
    return fail(Blame::input, "'", text, "' is not a size: ", why, " (write it as 512, 64K, 10M or 1G)");
  };
  const auto part = scan(text);
  if (!part) return wrong("a number is expected");
  constexpr std::array units{Unit{"", 1},
                             Unit{"B", 1},
                             Unit{"K", 1024.0},
                             Unit{"Ki", 1024.0},
                             Unit{"M", 1048576.0},
                             Unit{"Mi", 1048576.0},
                             Unit{"G", 1073741824.0},
                             Unit{"Gi", 1073741824.0},
                             Unit{"T", 1099511627776.0},
                             Unit{"Ti", 1099511627776.0}};
  for (const auto& unit : units) {
    if (unit.name != part->rest) continue;
    const double count = part->number * unit.size;
    if (count > 0x1p62) return wrong("it is too large");
    return Bytes{static_cast<std::uint64_t>(std::llround(count))};
  }
  return wrong(std::string("unknown unit '").append(part->rest).append("'"));
}

Result<Rate> parse_rate(std::string_view text) {
  const auto wrong = [text](std::string_view why) {
    return fail(Blame::input, "'", text, "' is not a rate: ", why, " (write it as 200/s, 30/m or 5/h)");
  };
  const auto part = scan(text);
  if (!part) return wrong("a number is expected");
  if (part->number <= 0) return wrong("it must be more than 0");
  if (part->rest == "/s") return Rate{part->number};
  if (part->rest == "/m") return Rate{part->number / 60};
  if (part->rest == "/h") return Rate{part->number / 3600};
  return wrong("it must end in /s, /m or /h");
}

Result<Bandwidth> parse_bandwidth(std::string_view text) {
  const auto wrong = [text](std::string_view why) {
    return fail(Blame::input, "'", text, "' is not a bandwidth: ", why, " (write it as 64kbit, 10mbit or 1gbit, per second)");
  };
  const auto part = scan(text);
  if (!part) return wrong("a number is expected");
  auto rest = part->rest;
  if (rest.ends_with("/s")) rest.remove_suffix(2);
  std::string name(rest);
  std::ranges::transform(name, name.begin(), [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
  if (name.ends_with("bps")) return wrong("bps means bytes to tc and bits to most others");
  for (const auto& unit : bandwidth_units) {
    if (unit.name != name) continue;
    const double bits = part->number * unit.size;
    if (bits < 1) return wrong("it must be at least 1bit");
    if (bits > 0x1p62) return wrong("it is too large");
    return Bandwidth{static_cast<std::uint64_t>(std::llround(bits))};
  }
  return wrong(name.empty() ? "it has no unit" : std::string("unknown unit '").append(part->rest).append("'"));
}

std::string to_text(Bandwidth bandwidth) {
  Unit best = bandwidth_units.front();
  for (const auto& unit : bandwidth_units) {  // the largest that leaves no more than three digits behind the point
    const auto size = static_cast<std::uint64_t>(unit.size);
    if (size > 1 && bandwidth.bits_per_second >= size && bandwidth.bits_per_second % (size / 1000) == 0) best = unit;
  }
  return number_text(static_cast<double>(bandwidth.bits_per_second) / best.size).append(best.name);
}

std::string to_text(Duration duration) {
  const auto count = duration.count();
  if (count == 0) return "0s";
  if (count < 0) return "-" + to_text(-duration);
  constexpr std::array whole{Unit{"d", 86400e9}, Unit{"h", 3600e9}, Unit{"m", 60e9}};
  for (const auto& unit : whole) {
    const auto size = static_cast<std::int64_t>(unit.size);
    if (count % size == 0) return std::to_string(count / size).append(unit.name);
  }
  if (count >= 60'000'000'000) {
    const auto minutes = count / 60'000'000'000;
    return std::to_string(minutes) + "m" + to_text(Duration{count % 60'000'000'000});
  }
  const auto& unit = count >= 1'000'000'000 ? duration_units[3]
                     : count >= 1'000'000   ? duration_units[2]
                     : count >= 1'000       ? duration_units[1]
                                            : duration_units[0];
  return number_text(static_cast<double>(count) / unit.size).append(unit.name);
}

std::string to_text(Percent percent) {
  // Rounded to a millionth of a per cent, so that 0.07 * 100 does not print as 7.000000000000001.
  return number_text(std::round(percent.fraction * 1e8) / 1e6) + "%";
}

std::string to_text(Bytes bytes) {
  constexpr std::array units{std::pair{"T", 40U}, std::pair{"G", 30U}, std::pair{"M", 20U}, std::pair{"K", 10U}};
  for (const auto& [name, shift] : units) {
    const auto mask = (std::uint64_t{1} << shift) - 1;
    if (bytes.count > mask && (bytes.count & mask) == 0) return std::to_string(bytes.count >> shift) + name;
  }
  return std::to_string(bytes.count);
}

std::string to_text(Rate rate) {
  if (rate.per_second >= 1 || std::floor(rate.per_second * 60) != rate.per_second * 60) return number_text(rate.per_second) + "/s";
  return number_text(rate.per_second * 60) + "/m";
}

Duration boot_now() {
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

std::string wall_clock_text() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  std::tm parts{};
  gmtime_r(&now.tv_sec, &parts);
  std::array<char, 32> date{};
  std::strftime(date.data(), date.size(), "%Y-%m-%dT%H:%M:%S", &parts);
  std::array<char, 8> milliseconds{};
  std::snprintf(milliseconds.data(), milliseconds.size(), ".%03dZ", static_cast<int>(now.tv_nsec / 1'000'000 % 1000));
  return std::string(date.data()) + milliseconds.data();
}

}  // namespace arashi
