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

}  // namespace

Result<LocalTime> local_time(const std::string& name, std::int64_t now) {
  std::string problem;
  const date::time_zone* zone = find_zone(name, problem);
  if (zone == nullptr) return fail(Blame::input, "unknown time zone '", name.substr(0, 60), "'", zone_suggestion(name));
  try {
    const date::sys_seconds utc{std::chrono::seconds(now)};
    const auto local = date::make_zoned(zone, utc);
    const auto midnight = date::floor<date::days>(local.get_local_time());
    LocalTime made;
    made.day = static_cast<int>(date::weekday(midnight).iso_encoding());
    made.since_midnight = local.get_local_time() - midnight;
    made.text = date::format("%a %F %H:%M %Z", local);
    return made;
  } catch (const std::exception& error) {
    return fail(Blame::system, "time in zone '", name, "': ", error.what());
  }
}

}  // namespace arashi::spec
