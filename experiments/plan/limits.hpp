// What an experiment may never exceed. Each function adds its refusals; none means: go ahead.
#pragma once

#include "experiments/plan/plan.hpp"

namespace arashi::plan {

void check_limits(const spec::Experiment& experiment, Plan& plan);
// Now, and when it will end, must be inside limits.window.
void check_window(const spec::Experiment& experiment, std::int64_t now, Plan& plan);
// Budgets of a calendar window that may end while it runs: what is spent then is spent of the old one.
void check_periods(const spec::Experiment& experiment, std::int64_t now, Plan& plan);

// "process name=wallet, netns=pay": what was looked for.
std::string in_words(const Selector& selector);
// "mon-fri 10:00-16:00 Asia/Tokyo"
std::string in_words(const spec::Hours& hours);

}  // namespace arashi::plan
