// Windows of an SLO that follow the calendar: so many days, weeks, months, quarters or years of a time zone, from a start on. These have no
// fixed length: February is short, and so is the day on which the clocks go forward.
#pragma once

#include "injector/core/result.hpp"
#include "injector/core/units.hpp"

#include <cstdint>
#include <string>
#include <string_view>

namespace arashi::spec {

struct Calendar {
  int count = 1;
  char unit = 'M';         // d, w, M, Q, Y
  std::int64_t start = 0;  // on the zone's wall clock: seconds since it showed 1970-01-01 00:00
  std::string timezone;    // IANA name
};

// One window of it.
struct Period {
  std::int64_t begin = 0, end = 0;  // seconds since 1970; its end is the begin of the next one
  std::string words;                // "this calendar month, since 2026-11-01 Europe/Berlin"
  std::string next;                 // when the next one begins: "2026-12-01 00:00 CET"
};

// "1M", "2w": sets count and unit.
Result<void> read_length(std::string_view text, Calendar& out);
// "2026-01-01 00:00:00", or the date alone: midnight.
Result<std::int64_t> parse_wall_clock(std::string_view text);

// As they are written.
std::string length_text(const Calendar& calendar);
std::string start_text(const Calendar& calendar);

// For what is reckoned before anybody knows the date: a month of 30 days, a quarter of 90, a year of 365.
Duration usual_length(const Calendar& calendar);

// The window that holds `now`. A month without the start's day (the 31st) begins on its last one; a time that the clock skips is when it
// skips, one that it shows twice the first of both. Before the start → Blame::refused; unknown zone → Blame::input.
Result<Period> period_of(const Calendar& calendar, std::int64_t now);

}  // namespace arashi::spec
