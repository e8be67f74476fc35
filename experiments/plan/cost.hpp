// What an experiment may cost at worst, before it starts.
#pragma once

#include "experiments/plan/plan.hpp"

namespace arashi::plan {

// If every request were bad from the first fault to the end of recovery: (length / window) / (1 - objective) of the budget, whatever the
// rate; where a load's rate changes, its requests in that time beside those of the window, and the guard's stop at the highest rate.
std::vector<Cost> worst_case(const spec::Experiment& experiment);

// SLOs that the guard sees too late to keep the budget: with a source that lags, a total outage spends this before it can be known.
void check_lag(const spec::Experiment& experiment, Plan& plan);

// SLOs in time slices whose source does not tell what the past has spent of them.
void check_past(const spec::Experiment& experiment, Plan& plan);

// Loads that do not check who answers.
void check_loads(const spec::Experiment& experiment, Plan& plan);

}  // namespace arashi::plan
