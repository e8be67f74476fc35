#include "injector/core/units.hpp"

#include <doctest/doctest.h>

#include <string>

using namespace arashi;
using namespace std::chrono_literals;

TEST_CASE("durations are read with their unit and written back the same") {
  const std::pair<const char*, Duration> table[] = {{"0s", 0s},     {"250us", 250us}, {"20ms", 20ms},     {"1.5s", 1500ms},
                                                    {"5m", 5min},   {"2h", 2h},       {"30d", 720h},      {"1m30s", 90s},
                                                    {"90m", 90min}, {"999ns", 999ns}, {"1m0.5s", 60500ms}};
  for (const auto& row : table) {
    const auto* text = row.first;
    const auto value = row.second;
    CAPTURE(text);
    REQUIRE(parse_duration(text).has_value());
    CHECK(*parse_duration(text) == value);
    CHECK(*parse_duration(to_text(value)) == value);
  }
}

TEST_CASE("a duration that is not one says why") {
  const std::pair<const char*, const char*> table[] = {
      {"200", "no unit"},     {"", "empty"},       {"-1s", "negative"},          {"5x", "unknown unit 'x'"},    {"1s1m", "large to small"},
      {"nan", "number"},      {"inf", "number"},   {"1e9s", "unknown unit 'e'"}, {"99999999999d", "100 years"}, {"1s ", "number"},
      {"1.5.5s", "at '.5s'"}, {"1:30", "at ':30'"}};
  for (const auto& row : table) {
    const auto* text = row.first;
    const auto* why = row.second;
    CAPTURE(text);
    const auto parsed = parse_duration(text);
    REQUIRE_FALSE(parsed.has_value());
    CHECK(parsed.error().blame == Blame::input);
    CHECK(parsed.error().message.find(why) != std::string::npos);
  }
}

TEST_CASE("percentages, sizes and rates") {
  CHECK(parse_percent("1%")->fraction == doctest::Approx(0.01));
  CHECK(to_text(Percent{0.07}) == "7%");
  CHECK(to_text(Percent{0.0005}) == "0.05%");
  for (const char* wrong : {"1", "101%", "-1%", "%", "nan%", "1 %"}) CHECK_FALSE(parse_percent(wrong).has_value());
  CHECK(parse_bytes("64K")->count == 65536);
  CHECK(parse_bytes("1.5M")->count == 1572864);
  CHECK(to_text(Bytes{65536}) == "64K");
  CHECK(to_text(Bytes{1000}) == "1000");
  for (const char* wrong : {"", "K", "-1", "1X", "99999999999999999999"}) CHECK_FALSE(parse_bytes(wrong).has_value());
  CHECK(parse_rate("200/s")->per_second == 200);
  CHECK(parse_rate("30/m")->per_second == 0.5);
  CHECK(to_text(Rate{0.5}) == "30/m");
  for (const char* wrong : {"200", "0/s", "-1/s", "200/d", "/s"}) CHECK_FALSE(parse_rate(wrong).has_value());
}
