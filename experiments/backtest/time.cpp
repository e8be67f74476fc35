#include "experiments/backtest/record.hpp"

#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>

namespace arashi::backtest {
namespace {

constexpr double latest = 9e9;  // seconds: the year 2255; what is larger was written in milliseconds

int digits(std::string_view text, std::size_t at, std::size_t count) {
  int value = -1;
  if (at + count > text.size()) return -1;
  const auto [end, error] = std::from_chars(text.data() + at, text.data() + at + count, value);
  return error == std::errc{} && end == text.data() + at + count ? value : -1;
}

// ".25" at `at`, which is moved behind it.
double fraction(std::string_view text, std::size_t& at) {
  double value = 0, weight = 0.1;
  if (at >= text.size() || text[at] != '.') return 0;
  for (++at; at < text.size() && text[at] >= '0' && text[at] <= '9'; ++at, weight /= 10) value += weight * (text[at] - '0');
  return value;
}

// "Z", "+09:00": seconds east; a value out of range where it is neither.
int offset(std::string_view text) {
  constexpr int wrong = 1 << 30;
  if (text == "Z" || text == "z") return 0;
  if (text.size() != 6 || (text[0] != '+' && text[0] != '-') || text[3] != ':') return wrong;
  const int hours = digits(text, 1, 2), minutes = digits(text, 4, 2);
  if (hours < 0 || hours > 23 || minutes < 0 || minutes > 59) return wrong;
  return (text[0] == '-' ? -1 : 1) * (hours * 3600 + minutes * 60);
}

// RFC 3339.
bool read_date(std::string_view text, double& result) {
  using namespace std::chrono;
  if (text.size() < 20 || text[4] != '-' || text[7] != '-' || (text[10] != 'T' && text[10] != ' ') || text[13] != ':' || text[16] != ':')
    return false;
  const year_month_day date{year(digits(text, 0, 4)), month(static_cast<unsigned>(digits(text, 5, 2))),
                            day(static_cast<unsigned>(digits(text, 8, 2)))};
  const int hour = digits(text, 11, 2), minute = digits(text, 14, 2), second = digits(text, 17, 2);
  if (!date.ok() || hour < 0 || hour > 23 || minute < 0 || minute > 59 || second < 0 || second > 60) return false;
  std::size_t at = 19;
  const double part = fraction(text, at);
  const int east = offset(text.substr(at));
  if (std::abs(east) > 86400) return false;
  result = static_cast<double>(sys_days(date).time_since_epoch().count()) * 86400 + hour * 3600 + minute * 60 + second - east + part;
  return true;
}

}  // namespace

Result<Duration> parse_time(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  const bool number = error == std::errc{} && end == text.data() + text.size();
  if (!number && !read_date(text, value))
    return fail(Blame::input, "'", text, "' is no time: seconds since 1970 or 2026-11-22T10:00:00Z is expected");
  if (!(value >= 0 && value <= latest))
    return fail(Blame::input, "'", text, "' is not in seconds since 1970", value > latest ? "; is it in milliseconds?" : "");
  return Duration(std::llround(value * 1e3) * 1'000'000);
}

std::string utc(Duration since_1970) {
  using namespace std::chrono;
  const auto total = duration_cast<std::chrono::seconds>(since_1970);
  const auto days = floor<std::chrono::days>(total);
  const year_month_day date{sys_days(days)};
  const long left = (total - days).count();
  std::array<char, 40> text{};
  std::snprintf(text.data(), text.size(), "%04d-%02u-%02uT%02ld:%02ld:%02ldZ", static_cast<int>(date.year()),
                static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), left / 3600, left / 60 % 60, left % 60);
  return text.data();
}

}  // namespace arashi::backtest
