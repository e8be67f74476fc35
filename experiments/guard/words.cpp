#include "experiments/guard/words.hpp"

#include <array>
#include <cmath>
#include <cstdio>

namespace arashi::guard {

// Two digits below ten, else whole with one digit where it matters; never an exponent.
std::string number_words(double value) {
  const double size = std::fabs(value);
  int digits = 0;
  if (size < 100) digits = 1;
  if (size > 0 && size < 1) digits = std::min(6, 1 - static_cast<int>(std::floor(std::log10(size))));
  std::array<char, 64> text{};
  std::snprintf(text.data(), text.size(), "%.*f", digits, value);
  std::string result = text.data();
  if (result.find('.') != std::string::npos) {
    while (result.back() == '0') result.pop_back();
    if (result.back() == '.') result.pop_back();
  }
  return result;
}

std::string percent_words(double share) { return number_words(share * 100) + " %"; }

std::string period_words(Duration duration) {
  const double length = seconds(duration);
  if (length >= 2 * 86400) return number_words(length / 86400) + " days";
  if (length >= 3600) return number_words(length / 3600) + " h";
  if (length >= 120) return number_words(length / 60) + " min";
  return number_words(length) + " s";
}

std::string window_words(Duration window) {
  const double length = seconds(window);
  if (length >= 86400) return number_words(length / 86400) + "-day";
  return number_words(length / 3600) + "-hour";
}

}  // namespace arashi::guard
