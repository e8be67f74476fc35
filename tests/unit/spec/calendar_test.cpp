// Windows that follow the calendar: where they begin and end, by dates that anybody can look up.
#include "experiments/spec/parse.hpp"

#include "tests/unit/spec/catalogue.hpp"

#include <date/date.h>
#include <doctest/doctest.h>

#include <sstream>

using namespace arashi;
using namespace std::chrono_literals;

namespace {

// UTC.
std::int64_t at(const std::string& text) {
  std::istringstream in(text);
  date::sys_seconds time;
  in >> date::parse("%F %T", time);
  REQUIRE_MESSAGE(!in.fail(), text);
  return time.time_since_epoch().count();
}

std::string utc(std::int64_t time) { return date::format("%F %T", date::sys_seconds{std::chrono::seconds(time)}); }

spec::Calendar calendar(const std::string& length, const std::string& start, const std::string& zone) {
  spec::Calendar made{.timezone = zone};
  REQUIRE(spec::read_length(length, made));
  const auto clock = spec::parse_wall_clock(start);
  REQUIRE(clock);
  made.start = *clock;
  return made;
}

std::string refused(const spec::Calendar& calendar, const std::string& now) {
  const auto period = spec::period_of(calendar, at(now));
  REQUIRE_FALSE(period);
  CHECK(period.error().blame == Blame::refused);
  return period.error().message;
}

}  // namespace

TEST_CASE("calendar windows: which one holds a moment, over clock changes, leap years and short months") {
  struct Case {
    std::string length, start, zone, now, begin, end;  // now, begin and end in UTC
  };
  for (const auto& each : std::vector<Case>{
           {"1M", "2026-01-01", "UTC", "2026-11-26 15:00:00", "2026-11-01 00:00:00", "2026-12-01 00:00:00"},
           {"1M", "2026-01-01", "UTC", "2026-11-01 00:00:00", "2026-11-01 00:00:00", "2026-12-01 00:00:00"},
           {"1M", "2026-01-01", "UTC", "2026-11-30 23:59:59", "2026-11-01 00:00:00", "2026-12-01 00:00:00"},
           {"1M", "2026-01-01", "Europe/Berlin", "2026-11-26 15:00:00", "2026-10-31 23:00:00", "2026-11-30 23:00:00"},
           // In local time it is already the next month, in UTC not yet.
           {"1M", "2026-01-01", "Asia/Tokyo", "2026-10-31 15:00:00", "2026-10-31 15:00:00", "2026-11-30 15:00:00"},
           {"1M", "2026-01-01", "Asia/Tokyo", "2026-10-31 14:59:59", "2026-09-30 15:00:00", "2026-10-31 15:00:00"},
           // The clocks of Berlin go back on 25 October 2026 and forward on 29 March: 745 and 743 hours.
           {"1M", "2026-01-01", "Europe/Berlin", "2026-10-10 00:00:00", "2026-09-30 22:00:00", "2026-10-31 23:00:00"},
           {"1M", "2026-01-01", "Europe/Berlin", "2026-03-10 00:00:00", "2026-02-28 23:00:00", "2026-03-31 22:00:00"},
           {"1d", "2026-01-01", "Europe/Berlin", "2026-10-25 12:00:00", "2026-10-24 22:00:00", "2026-10-25 23:00:00"},  // 25 h
           {"1d", "2026-01-01", "Europe/Berlin", "2026-03-29 12:00:00", "2026-03-28 23:00:00", "2026-03-29 22:00:00"},  // 23 h
           {"1w", "2026-01-05", "Europe/Berlin", "2026-03-27 12:00:00", "2026-03-22 23:00:00", "2026-03-29 22:00:00"},
           // 02:30 is shown twice on 25 October (the first counts) and never on 29 March (when the clock skips it).
           {"1d", "2026-01-01 02:30:00", "Europe/Berlin", "2026-10-25 00:45:00", "2026-10-25 00:30:00", "2026-10-26 01:30:00"},
           {"1d", "2026-01-01 02:30:00", "Europe/Berlin", "2026-10-25 01:45:00", "2026-10-25 00:30:00", "2026-10-26 01:30:00"},
           {"1d", "2026-01-01 02:30:00", "Europe/Berlin", "2026-03-29 01:00:00", "2026-03-29 01:00:00", "2026-03-30 00:30:00"},
           {"1d", "2026-01-01 02:30:00", "Europe/Berlin", "2026-03-29 00:59:59", "2026-03-28 01:30:00", "2026-03-29 01:00:00"},
           // South of the equator, and where clocks change by half an hour.
           {"1M", "2026-01-01", "Australia/Lord_Howe", "2026-04-15 00:00:00", "2026-03-31 13:00:00", "2026-04-30 13:30:00"},
           {"1M", "2024-01-01", "UTC", "2024-02-29 12:00:00", "2024-02-01 00:00:00", "2024-03-01 00:00:00"},
           // The 31st: months without one begin on their last day, and the next one has its 31st again.
           {"1M", "2024-01-31", "UTC", "2024-02-29 00:00:00", "2024-02-29 00:00:00", "2024-03-31 00:00:00"},
           {"1M", "2024-01-31", "UTC", "2024-02-28 23:59:59", "2024-01-31 00:00:00", "2024-02-29 00:00:00"},
           {"1M", "2025-01-31", "UTC", "2025-03-01 00:00:00", "2025-02-28 00:00:00", "2025-03-31 00:00:00"},
           {"1M", "2025-01-31", "UTC", "2025-05-01 00:00:00", "2025-04-30 00:00:00", "2025-05-31 00:00:00"},
           {"1M", "2025-01-30 18:15:00", "America/New_York", "2025-03-01 12:00:00", "2025-02-28 23:15:00", "2025-03-30 22:15:00"},
           {"1Y", "2024-02-29", "UTC", "2025-06-01 00:00:00", "2025-02-28 00:00:00", "2026-02-28 00:00:00"},
           {"1Y", "2024-02-29", "UTC", "2028-02-29 00:00:00", "2028-02-29 00:00:00", "2029-02-28 00:00:00"},
           {"1Q", "2026-01-01", "America/New_York", "2026-11-26 00:00:00", "2026-10-01 04:00:00", "2027-01-01 05:00:00"},
           {"1Q", "2025-11-30", "UTC", "2026-03-01 00:00:00", "2026-02-28 00:00:00", "2026-05-30 00:00:00"},
           {"2w", "2026-01-05", "UTC", "2026-11-26 00:00:00", "2026-11-23 00:00:00", "2026-12-07 00:00:00"},
           {"5M", "2026-01-01", "UTC", "2026-11-26 00:00:00", "2026-11-01 00:00:00", "2027-04-01 00:00:00"},
           {"1w", "1970-01-01", "UTC", "2026-11-26 00:00:00", "2026-11-26 00:00:00", "2026-12-03 00:00:00"},
           {"1M", "2026-11-26 15:00:00", "UTC", "2026-11-26 15:00:00", "2026-11-26 15:00:00", "2026-12-26 15:00:00"},
           // Samoa had no 30 December 2011: of two windows that would begin at once the second is there.
           {"1d", "2011-01-01", "Pacific/Apia", "2011-12-30 10:00:00", "2011-12-30 10:00:00", "2011-12-31 10:00:00"},
           {"1d", "2011-01-01", "Pacific/Apia", "2011-12-30 09:59:59", "2011-12-29 10:00:00", "2011-12-30 10:00:00"},
       }) {
    INFO(each.length << " from " << each.start << " " << each.zone << " at " << each.now);
    const auto period = spec::period_of(calendar(each.length, each.start, each.zone), at(each.now));
    REQUIRE_MESSAGE(period, period.error().message);
    CHECK(utc(period->begin) == each.begin);
    CHECK(utc(period->end) == each.end);
  }
}

TEST_CASE("calendar windows follow each other without a gap, and each moment is in one of them") {
  for (const char* length : {"1d", "3d", "1w", "1M", "1Q", "1Y"})
    for (const char* zone : {"UTC", "Europe/Berlin", "America/St_Johns", "Pacific/Apia", "Africa/Casablanca"}) {
      CAPTURE(length);
      CAPTURE(zone);
      const auto which = calendar(length, "2009-12-31 23:30:00", zone);
      std::int64_t now = at("2010-06-01 00:00:00");
      for (int i = 0; i < 40; ++i) {
        const auto period = spec::period_of(which, now);
        REQUIRE_MESSAGE(period, period.error().message);
        CHECK(period->begin <= now);
        CHECK(period->end > now);
        const auto next = spec::period_of(which, period->end);
        const auto same = spec::period_of(which, period->end - 1);
        REQUIRE((next && same));
        CHECK(next->begin == period->end);
        CHECK(same->begin == period->begin);
        now = period->end + 1800;
      }
    }
}

TEST_CASE("calendar windows are named as people name them") {
  const auto words = [](const spec::Calendar& which, const std::string& now) { return spec::period_of(which, at(now)).value().words; };
  CHECK(words(calendar("1M", "2026-01-01", "Europe/Berlin"), "2026-11-26 15:00:00") ==
        "this calendar month, since 2026-11-01 Europe/Berlin");
  CHECK(words(calendar("1Q", "2026-01-01 12:00:00", "UTC"), "2026-11-26 15:00:00") == "this calendar quarter, since 2026-10-01 12:00 UTC");
  CHECK(words(calendar("2w", "2026-01-05", "UTC"), "2026-11-26 15:00:00") == "these 2 calendar weeks, since 2026-11-23 UTC");
  const auto period = spec::period_of(calendar("1M", "2026-01-01", "Europe/Berlin"), at("2026-11-26 15:00:00"));
  CHECK(period.value().next == "Tue 2026-12-01 00:00 CET");
  CHECK(spec::start_text(calendar("1M", "2026-01-01", "UTC")) == "2026-01-01 00:00:00");
  CHECK(spec::length_text(calendar("12w", "2026-01-01", "UTC")) == "12w");
}

TEST_CASE("before a calendar's start there is no budget yet") {
  const auto future = calendar("1M", "2027-01-01", "Europe/Berlin");
  CHECK(
      refused(future, "2026-12-31 22:59:59") ==
      "its calendar window starts only at Fri 2027-01-01 00:00 CET (Europe/Berlin), and it is Thu 2026-12-31 23:59 CET: there is no budget "
      "to spend yet");
  CHECK(spec::period_of(future, at("2026-12-31 23:00:00")));
  CHECK(spec::period_of(calendar("1M", "2026-01-01", "Europe/Berli"), 0).error().blame == Blame::input);
}

TEST_CASE("lengths and starts of calendar windows, taken and refused") {
  spec::Calendar made;
  for (const char* right : {"1d", "1w", "1M", "1Q", "1Y", "36525d", "100Y", "28d"}) {
    CAPTURE(right);
    CHECK(spec::read_length(right, made));
    CHECK(spec::length_text(made) == right);
  }
  for (const char* wrong : {"", "M", "0M", "-1M", "1m", "1h", "1y", "1.5M", "1M ", " 1M", "1MM", "+1M", "101Y", "36526d", "99999999999M"}) {
    CAPTURE(wrong);
    CHECK_FALSE(spec::read_length(wrong, made));
  }
  for (const char* right : {"2026-01-01", "2026-01-01 00:00:00", "2024-02-29 23:59:59", "1970-01-01"}) {
    CAPTURE(right);
    CHECK(spec::parse_wall_clock(right));
  }
  for (const char* wrong :
       {"", "2026", "2026-1-1", "2026-13-01", "2025-02-29", "2026-04-31", "2026-01-01T00:00:00", "2026-01-01 24:00:00",
        "2026-01-01 00:60:00", "2026-01-01 00:00", "2026-01-01 00:00:00Z", "1969-12-31 23:59:59", "+026-01-01", "2026-01-01 00:00:0x"}) {
    CAPTURE(wrong);
    CHECK_FALSE(spec::parse_wall_clock(wrong));
  }
}

namespace {

spec::Parsed with_slo(const std::string& more, const spec::ReadSlo& read = {}) {
  return spec::parse(
      "apiVersion: arashi.dev/v1\nkind: Experiment\nmetadata: {name: a}\nspec:\n  slos:\n    pay:\n      objective: 99.9%\n" + more +
          "  timeline: []\n",
      test::catalogue(), read);
}

const std::string by_prometheus = "      prometheus: {url: 'http://p', bad: b, total: t}\n";

}  // namespace

TEST_CASE("a spec's calendar is read, and told where it is wrong") {
  const auto good = with_slo(by_prometheus + "      calendar: {duration: 1M, start: 2026-01-01 00:00:00, timezone: Europe/Berlin}\n")
                        .experiment.slos.at(0);
  REQUIRE(good.calendar);
  CHECK(good.calendar->timezone == "Europe/Berlin");
  CHECK(good.window == 30 * 24h);  // until the date is known
  struct Case {
    std::string calendar, problem;
  };
  for (const auto& each : std::vector<Case>{
           {"calendar: {duration: 1M, start: 2026-01-01, timezone: Europe/Berlni}",
            "f:9:61: spec.slos.pay.calendar.timezone: unknown time zone 'Europe/Berlni'; did you mean 'Europe/Berlin'?"},
           {"calendar: {duration: 1m, start: 2026-01-01, timezone: UTC}",
            "f:9:28: spec.slos.pay.calendar.duration: is '1m': a calendar window"},
           {"calendar: {duration: 1M, start: 2026-02-30, timezone: UTC}",
            "f:9:39: spec.slos.pay.calendar.start: is '2026-02-30': a date from 1970 on"},
           {"calendar: {duration: 1M, timezone: UTC}", "f:9:17: spec.slos.pay.calendar: 'start' is missing"},
           {"calendar: {duration: 1M, start: 2026-01-01, timeZone: UTC}", "did you mean 'timezone'"},
           {"calendar: 1M", "f:9:17: spec.slos.pay.calendar"},
           {"calendar: {duration: 1M, start: 2026-01-01, timezone: UTC}\n      window: 30d",
            "f:9:17: spec.slos.pay.calendar: and 'window' exclude each other"},
       }) {
    const auto parsed = with_slo(by_prometheus + "      " + each.calendar + "\n");
    std::string told;
    for (const auto& problem : parsed.problems) told += spec::to_text("f", problem) + "\n";
    CHECK_MESSAGE(told.find(each.problem) != std::string::npos, each.calendar << "\n" << told);
  }
}

TEST_CASE("a foreign SLO's calendar is taken, unless the spec says a window of its own") {
  const auto read = [](const std::string& /*from*/) -> Result<spec::ImportedSlo> {
    return spec::ImportedSlo{.objective = 0.999,
                             .window = 90 * 24h,
                             .calendar = spec::Calendar{.unit = 'Q', .timezone = "UTC"},
                             .bad = "b",
                             .total = "t",
                             .url = "http://p"};
  };
  const auto taken = with_slo("      from: a.yaml\n", read).experiment.slos.at(0);
  REQUIRE(taken.calendar);
  CHECK(taken.calendar->unit == 'Q');
  CHECK_FALSE(with_slo("      from: a.yaml\n      window: 7d\n", read).experiment.slos.at(0).calendar);
  const auto own = with_slo("      from: a.yaml\n      calendar: {duration: 1d, start: 2026-01-01, timezone: UTC}\n", read);
  CHECK(own.experiment.slos.at(0).calendar.value().unit == 'd');
  CHECK(own.experiment.slos.at(0).window == 24h);
}

TEST_CASE("an experiment's windows are settled: the one it begins in, as short as the next where it may go on into it") {
  spec::Experiment experiment;
  experiment.slos = {{.name = "rolls"}, {.name = "pay", .calendar = calendar("1M", "2026-01-01", "UTC")}};
  experiment.steady_for = 10s;
  experiment.recovery_within = 30s;
  const auto settled = [&](const std::string& now) {
    REQUIRE(spec::settle_windows(experiment, at(now)));
    CHECK(experiment.slos[0].window == 30 * 24h);
    CHECK_FALSE(experiment.slos[0].period);
    return experiment.slos[1];
  };
  CHECK(settled("2026-12-15 00:00:00").window == 31 * 24h);
  const auto over_new_year = settled("2027-01-31 23:59:30");  // February is shorter
  CHECK(over_new_year.window == 28 * 24h);
  CHECK(over_new_year.period.value().words == "this calendar month, since 2027-01-01 UTC");
  CHECK(spec::may_outlast(experiment, *over_new_year.period, at("2027-01-31 23:59:30")));
  CHECK(settled("2027-02-28 23:59:30").window == 28 * 24h);  // March is longer: no more than February's
  CHECK(settled("2027-01-31 20:00:00").window == 31 * 24h);
  experiment.slos[1].calendar = calendar("1d", "2026-01-01", "Europe/Berlin");
  experiment.recovery_within = 50h;  // over the short day
  CHECK(settled("2026-03-27 12:00:00").window == 23h);
  experiment.slos[1].calendar = calendar("1M", "2027-06-01", "UTC");
  const auto early = spec::settle_windows(experiment, at("2026-11-26 00:00:00"));
  CHECK(early.error().message.find("SLO 'pay': its calendar window starts only at Tue 2027-06-01 00:00 UTC") == 0);
}
