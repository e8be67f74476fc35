// Wall clock in a time zone, from the machine's tz database.
#pragma once

#include "injector/core/result.hpp"
#include "injector/core/units.hpp"

#include <cstdint>
#include <string>

namespace arashi::spec {

struct LocalTime {
  int day = 1;  // 1 = Monday … 7
  Duration since_midnight{};
  std::string text;  // "Mon 2026-11-23 14:05 JST", for people
};

// `name` is an IANA name; unknown → Blame::input, with a suggestion. `now`: seconds since 1970.
Result<LocalTime> local_time(const std::string& name, std::int64_t now);

// What the zone's wall clock shows, as seconds since it showed 1970-01-01 00:00; and when it shows that: a time that it shows twice, the
// first of both; one that it skips, when it skips. Unknown zone → Blame::input.
Result<std::int64_t> wall_clock(const std::string& name, std::int64_t now);
Result<std::int64_t> instant(const std::string& name, std::int64_t wall_clock);

}  // namespace arashi::spec
