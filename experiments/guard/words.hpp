// What the guard knows, as a person on call reads it.
#pragma once

#include "experiments/guard/guard.hpp"
#include "injector/core/figures.hpp"

#include <string>

namespace arashi::guard {

std::string window_words(Duration window);       // "the last 30 days"
std::string effect_words(const Effect& effect);  // "12 times (8 to 17) as likely to fail as one to an unfaulted replica"
std::string cause_words(const Effect& effect);   // what the control group says of the cause

// From log e-values, of which the reciprocal is a p-value that holds at any time: "significance p = 0.014 (aborts at p < 0.001)"; with next
// to no evidence "no significant violation".
std::string significance_words(double log_e, double log_threshold);
// Where an SLO stands: "error budget used 0.034% (limit 2%), 3 of 600 requests bad, burn rate 12.0x (limit reached in 42 s at this rate),
// …".
std::string standing_words(const SloState& slo);
// "load checkout: 3 of 200 requests bad; prometheus (not authoritative): 3 of 180 requests bad, data stale": of several sources, else
// empty.
std::string sources_words(const SloState& slo);
// "1 h: 12.1x (alert threshold 14.4x), 10 s: 120x (alert threshold 518x)"
std::string windows_words(const std::vector<Window>& windows);

}  // namespace arashi::guard
