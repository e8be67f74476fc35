// Figures as a person reads them, in one format everywhere: "0.5%", "1.2 s", "14.4x". What is parsed again is written by units.hpp.
#pragma once

#include "injector/core/units.hpp"

#include <string>
#include <string_view>

namespace arashi {

// About three digits that mean something, never an exponent: "0.034", "1.58", "14.4", "1000". Not a finite number: "unknown".
std::string number_text(double value);
// "0.5%"; close to all of it, how far it is from there is still seen: "99.95%".
std::string percent_text(double share);
// A ratio, such as a burn rate, always with a digit behind the point below a hundred: "0.0x", "14.4x", "518x".
std::string factor_text(double ratio);
// "250 us", "49.9 ms", "1.2 s", "5 min", "6 h", "3 days".
std::string period_text(Duration period);
// "0.014", "< 0.000001": a probability, from its negated natural logarithm.
std::string probability_text(double negated_log);
// Of an evidence's or a report's value: unit is ns, fraction, bit/s, or anything else for a bare number.
std::string amount_text(double value, std::string_view unit);

}  // namespace arashi
