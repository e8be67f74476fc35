#include "experiments/spec/zone.hpp"

#include "injector/core/suggest.hpp"

#include <date/tz.h>

#include <stdexcept>
#include <string_view>
#include <vector>

namespace arashi::spec {
namespace {

// date throws for an unknown name and for a machine without tz database; it also opens what the name says, so that must be a name.
const date::time_zone* find_zone(const std::string& name, std::string& problem) {
  constexpr std::string_view allowed = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/_+-";
  try {
    if (!name.empty() && name.find_first_not_of(allowed) == std::string::npos) {
      for (const auto& zone : date::get_tzdb().zones)
        if (zone.name() == name) return &zone;
      return date::locate_zone(name);
    }
  } catch (const std::runtime_error& error) {
    problem = error.what();
  }
  return nullptr;
}

std::string zone_suggestion(const std::string& name) {
  std::vector<std::string_view> known;
  try {
    for (const auto& zone : date::get_tzdb().zones) known.emplace_back(zone.name());
  } catch (const std::runtime_error&) {
    return "; the machine's time zone database (package tzdata) is missing";
  }
  const std::string near = nearest(name, known);
  return near.empty() ? "; IANA names look like Asia/Tokyo, Europe/Berlin, UTC" : "; did you mean '" + near + "'?";
}

// What date throws stays here.
template <class Made>
Result<Made> with_zone(const std::string& name, const auto& make) {
  std::string problem;
  const date::time_zone* zone = find_zone(name, problem);
  if (zone == nullptr) return fail(Blame::input, "unknown time zone '", name.substr(0, 60), "'", zone_suggestion(name));
  try {
    return make(zone);
  } catch (const std::exception& error) {
    return fail(Blame::system, "time in zone '", name, "': ", error.what());
  }
}

date::sys_seconds utc(std::int64_t seconds) { return date::sys_seconds{std::chrono::seconds(seconds)}; }

}  // namespace

Result<LocalTime> local_time(const std::string& name, std::int64_t now) {
  return with_zone<LocalTime>(name, [&](const date::time_zone* zone) {
    const auto local = date::make_zoned(zone, utc(now));
    const auto midnight = date::floor<date::days>(local.get_local_time());
    LocalTime made;
    made.day = static_cast<int>(date::weekday(midnight).iso_encoding());
    made.since_midnight = local.get_local_time() - midnight;
    made.text = date::format("%a %F %H:%M %Z", local);
    return made;
  });
}

Result<std::int64_t> wall_clock(const std::string& name, std::int64_t now) {
  return with_zone<std::int64_t>(name, [&](const auto* zone) { return zone->to_local(utc(now)).time_since_epoch().count(); });
}

Result<std::int64_t> instant(const std::string& name, std::int64_t wall_clock) {
  return with_zone<std::int64_t>(name, [&](const auto* zone) {
    return zone->to_sys(date::local_seconds{std::chrono::seconds(wall_clock)}, date::choose::earliest).time_since_epoch().count();
  });
}

}  // namespace arashi::spec
