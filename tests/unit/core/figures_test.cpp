#include "injector/core/figures.hpp"

#include <doctest/doctest.h>

#include <limits>

using namespace arashi;
using namespace std::chrono_literals;

TEST_CASE("numbers have about three digits that mean something and no exponent") {
  CHECK(number_text(0) == "0");
  CHECK(number_text(-0.0) == "0");
  CHECK(number_text(0.034) == "0.034");
  CHECK(number_text(0.0001234) == "0.00012");
  CHECK(number_text(1.584) == "1.58");
  CHECK(number_text(2) == "2");
  CHECK(number_text(14.44) == "14.4");
  CHECK(number_text(1000.4) == "1000");
  CHECK(number_text(1e15) == "1000000000000000");
  CHECK(number_text(-14.44) == "-14.4");
  CHECK(number_text(std::numeric_limits<double>::quiet_NaN()) == "unknown");
}

TEST_CASE("a percentage stands next to its sign, and one close to all keeps what it lacks") {
  CHECK(percent_text(0) == "0%");
  CHECK(percent_text(0.005) == "0.5%");
  CHECK(percent_text(0.02) == "2%");
  CHECK(percent_text(0.9995) == "99.95%");
  CHECK(percent_text(0.999999) == "99.9999%");
  CHECK(percent_text(1) == "100%");
  CHECK(percent_text(2.5) == "250%");
}

TEST_CASE("a factor ends in x, with a digit behind the point below a hundred") {
  CHECK(factor_text(0) == "0.0x");
  CHECK(factor_text(14.4) == "14.4x");
  CHECK(factor_text(99.97) == "100x");
  CHECK(factor_text(518.4) == "518x");
  CHECK(factor_text(std::numeric_limits<double>::infinity()) == "unknown");
}

TEST_CASE("a period has the unit that fits it") {
  CHECK(period_text(0s) == "0 s");
  CHECK(period_text(250us) == "250 us");
  CHECK(period_text(49930us) == "49.9 ms");
  CHECK(period_text(1200ms) == "1.2 s");
  CHECK(period_text(90s) == "90 s");
  CHECK(period_text(5min) == "5 min");
  CHECK(period_text(6h) == "6 h");
  CHECK(period_text(24h * 3) == "3 days");
}

TEST_CASE("a probability is told down to one in a million") {
  CHECK(probability_text(0) == "1");
  CHECK(probability_text(-1) == "1");
  CHECK(probability_text(6.907755278982137) == "0.001");
  CHECK(probability_text(50) == "< 0.000001");
}

TEST_CASE("an amount is told in its unit") {
  CHECK(amount_text(49.93e6, "ns") == "49.9 ms");
  CHECK(amount_text(0.0158, "fraction") == "1.58%");
  CHECK(amount_text(9.94e6, "bit/s") == "9.94 Mbit/s");
  CHECK(amount_text(576, "") == "576");
  CHECK(amount_text(std::numeric_limits<double>::infinity(), "ns") == "unknown");
}
