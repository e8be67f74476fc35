#include "injector/core/figures.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

namespace arashi {

namespace {

std::string with_digits(double value, int digits) {
  std::array<char, 352> text{};
  std::snprintf(text.data(), text.size(), "%.*f", digits, value);
  return text.data();
}

// Zeros behind the point tell nothing.
std::string trimmed(std::string text) {
  if (text.find('.') == std::string::npos) return text == "-0" ? "0" : text;
  while (text.back() == '0') text.pop_back();
  if (text.back() == '.') text.pop_back();
  return text == "-0" ? "0" : text;
}

// So many digits behind the point that two of a size below one mean something.
int digits_below_one(double size) { return std::clamp(1 - static_cast<int>(std::floor(std::log10(size))), 2, 6); }

int digits_of(double size) {
  if (size >= 100) return 0;
  if (size >= 10) return 1;
  if (size >= 1) return 2;
  return size > 0 ? digits_below_one(size) : 0;
}

}  // namespace

std::string number_text(double value) {
  if (!std::isfinite(value)) return "unknown";
  return trimmed(with_digits(value, digits_of(std::fabs(value))));
}

std::string percent_text(double share) {
  const double percent = share * 100;
  const double rest = 100 - percent;
  if (rest > 1e-6 && rest < 10) return trimmed(with_digits(percent, std::max(1, digits_of(rest)))) + "%";
  return number_text(percent) + "%";
}

std::string factor_text(double ratio) {
  if (!std::isfinite(ratio)) return "unknown";
  return with_digits(ratio, std::fabs(ratio) < 99.95 ? 1 : 0) + "x";
}

std::string period_text(Duration period) {
  const double length = seconds(period);
  const double size = std::fabs(length);
  if (size >= 2 * 86400.0) return number_text(length / 86400) + " days";
  if (size >= 3600) return number_text(length / 3600) + " h";
  if (size >= 120) return number_text(length / 60) + " min";
  if (size >= 1 || size == 0) return number_text(length) + " s";
  if (size >= 1e-3) return number_text(length * 1e3) + " ms";
  return number_text(length * 1e6) + " us";
}

std::string probability_text(double negated_log) {
  constexpr double least = 1e-6;
  const double probability = std::exp(-std::max(negated_log, 0.0));
  return probability < least ? "< 0.000001" : number_text(probability);
}

std::string amount_text(double value, std::string_view unit) {
  if (!std::isfinite(value)) return "unknown";
  if (unit == "ns") return period_text(Duration{std::llround(std::clamp(value, -9e18, 9e18))});
  if (unit == "fraction") return percent_text(value);
  if (unit == "bit/s") return number_text(value / 1e6) + " Mbit/s";
  return number_text(value);
}

}  // namespace arashi
