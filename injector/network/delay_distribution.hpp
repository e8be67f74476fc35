// The shapes by which a delay varies, as the tables that netem takes: one for all backends, so that a spec means the same on each. Made
// from the distributions themselves. Pure.
#pragma once

#include "injector/network/effects.hpp"

#include <cstdint>
#include <vector>

namespace arashi {

inline constexpr double table_scale = 8192;  // NETEM_DIST_SCALE: this much in a table is one jitter

// Quantiles in even steps, with mean 0 and standard deviation 1 (8192) after the ends are cut off at what 16 bits hold, four standard
// deviations. normal; pareto: exponent 3; paretonormal: the sum of a quarter of a normal and three quarters of a pareto one, independent,
// each of standard deviation 1. Empty for uniform, which netem has of its own, and for a user's table.
std::vector<std::int16_t> delay_table(Shape shape);

double normal_probability(double deviations);  // that a normal value is less than so many standard deviations
double normal_quantile(double probability);    // the inverse; 0 < probability < 1

}  // namespace arashi
