#include "experiments/spec/calendar.hpp"

#include "experiments/spec/zone.hpp"

#include <date/date.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <sstream>

namespace arashi::spec {
namespace {

struct Unit {
  char letter;
  std::string_view name;
  int days, months;  // one of both; the usual number of days
};
constexpr std::array units{Unit{'d', "day", 1, 0}, Unit{'w', "week", 7, 0}, Unit{'M', "month", 30, 1}, Unit{'Q', "quarter", 90, 3},
                           Unit{'Y', "year", 365, 12}};
constexpr int most_days = 36525;  // 100 years, as the rolling windows

const Unit& unit_of(const Calendar& calendar) {
  const auto* found = std::ranges::find(units, calendar.unit, &Unit::letter);
  return found == units.end() ? units[2] : *found;
}

date::local_seconds wall(std::int64_t seconds) { return date::local_seconds{std::chrono::seconds(seconds)}; }

// The start of the n-th window on the wall clock.
std::int64_t wall_begin(const Calendar& calendar, std::int64_t n) {
  const Unit& unit = unit_of(calendar);
  const auto start = wall(calendar.start);
  if (unit.months == 0) return (start + date::days(n * calendar.count * unit.days)).time_since_epoch().count();
  const auto day = date::floor<date::days>(start);
  date::year_month_day moved = date::year_month_day(day) + date::months(n * calendar.count * unit.months);
  if (!moved.ok()) moved = moved.year() / moved.month() / date::last;
  return (date::local_days(moved) + (start - day)).time_since_epoch().count();
}

Result<std::int64_t> begin_of(const Calendar& calendar, std::int64_t n) { return instant(calendar.timezone, wall_begin(calendar, n)); }

// How many windows after the first the clock shows this, or one more or less.
std::int64_t about(const Calendar& calendar, std::int64_t clock) {
  const Unit& unit = unit_of(calendar);
  const auto from = date::floor<date::days>(wall(calendar.start)), to = date::floor<date::days>(wall(clock));
  if (unit.months == 0) return (to - from).count() / (calendar.count * unit.days);
  const date::year_month_day first(from), last(to);
  return (last.year() / last.month() - first.year() / first.month()).count() / (calendar.count * unit.months);
}

std::string in_words(const Calendar& calendar, std::int64_t begin) {
  std::string text = calendar.count == 1 ? "this calendar " : "these " + std::to_string(calendar.count) + " calendar ";
  text += std::string(unit_of(calendar).name) + (calendar.count == 1 ? "" : "s");
  const auto day = date::floor<date::days>(wall(begin));
  return text + ", since " + date::format(wall(begin) == day ? "%F" : "%F %H:%M", wall(begin)) + " " + calendar.timezone;
}

}  // namespace

Result<void> read_length(std::string_view text, Calendar& out) {
  int count = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), count);
  const bool one_more = error == std::errc{} && end + 1 == text.data() + text.size();
  const auto* unit = one_more ? std::ranges::find(units, *end, &Unit::letter) : units.end();
  if (unit == units.end() || count < 1 || count > most_days / unit->days)
    return fail(Blame::input, "is '", text.substr(0, 60),
                "': a calendar window is a whole number of d (days), w (weeks), M (months), Q (quarters) or Y (years), of at most 100 "
                "years, such as 1M");
  out.count = count;
  out.unit = unit->letter;
  return {};
}

Result<std::int64_t> parse_wall_clock(std::string_view text) {
  constexpr std::string_view form = "0000-00-00 00:00:00";
  constexpr std::size_t date_alone = 10;
  const auto same_kind = [](char is, char wanted) { return wanted == '0' ? is >= '0' && is <= '9' : is == wanted; };
  const bool right =
      (text.size() == form.size() || text.size() == date_alone) && std::ranges::equal(text, form.substr(0, text.size()), same_kind);
  std::istringstream in(std::string(text) + (text.size() == date_alone ? " 00:00:00" : ""));
  date::local_seconds time;
  if (right) in >> date::parse("%Y-%m-%d %H:%M:%S", time);
  if (!right || in.fail() || time < wall(0))
    return fail(Blame::input, "is '", text.substr(0, 60),
                "': a date from 1970 on with the time in 24 hours and no zone is expected, such as 2026-01-01 00:00:00");
  return time.time_since_epoch().count();
}

std::string length_text(const Calendar& calendar) { return std::to_string(calendar.count) + calendar.unit; }

std::string start_text(const Calendar& calendar) { return date::format("%F %T", wall(calendar.start)); }

Duration usual_length(const Calendar& calendar) { return std::chrono::hours(24) * (calendar.count * unit_of(calendar).days); }

Result<Period> period_of(const Calendar& calendar, std::int64_t now) {
  const std::int64_t first = TRY(begin_of(calendar, 0));
  if (now < first)
    return fail(Blame::refused, "its calendar window starts only at ", TRY(local_time(calendar.timezone, first)).text, " (",
                calendar.timezone, "), and it is ", TRY(local_time(calendar.timezone, now)).text, ": there is no budget to spend yet");
  std::int64_t n = about(calendar, TRY(wall_clock(calendar.timezone, now))) + 1;
  while (n > 0 && TRY(begin_of(calendar, n)) > now) --n;
  while (TRY(begin_of(calendar, n + 1)) <= now) ++n;
  Period period{.begin = TRY(begin_of(calendar, n)), .end = TRY(begin_of(calendar, n + 1)), .words = {}, .next = {}};
  period.words = in_words(calendar, TRY(wall_clock(calendar.timezone, period.begin)));
  period.next = TRY(local_time(calendar.timezone, period.end)).text;
  return period;
}

}  // namespace arashi::spec
