// Numbers as a person on call reads them.
#pragma once

#include "experiments/guard/guard.hpp"

#include <string>

namespace arashi::guard {

std::string percent_words(double share);         // "2.1 %", "0.034 %"
std::string number_words(double value);          // "14.4", "1000"
std::string period_words(Duration duration);     // "10 s", "5 min", "6 h", "3 days"
std::string window_words(Duration window);       // "30-day", "6-hour"
std::string effect_words(const Effect& effect);  // "12 times (8 to 17) as likely to fail as at an untouched one"
std::string cause_words(const Effect& effect);   // what the control group says of the cause

// How likely what was seen is an accident, and how unlikely is too unlikely: "chance of an accident 1 in 71, stops at 1 in 1000"; without
// evidence "chance may explain it all, stops at 1 in 1000". From log e-values.
std::string chance_words(double log_e, double log_threshold);
// Where an SLO stands: "spent 0.034 % of the 2 % it may; burns at 120, which lasts 42 s; …".
std::string standing_words(const SloState& slo);
// "1 h: 12.1 of 14.4, 10 s: 120 of 518.4"
// "load checkout: 3 bad of 200; prometheus (not authoritative): 3 bad of 180, data stale": of an SLO with several sources, else empty.
std::string sources_words(const SloState& slo);
std::string windows_words(const std::vector<Window>& windows);

}  // namespace arashi::guard
