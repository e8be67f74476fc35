// What others would have done with the same trace: Google's alert over a 15 s scrape, a cap alone, plain e-processes, a z-test at each
// look. Seconds after the injection at which each says stop.
#pragma once

#include "tests/bench/guard/world.hpp"

#include <array>
#include <optional>

namespace arashi::sim {

inline constexpr std::array<const char*, 5> reference_names{"Google 15 s", "cap alone", "plain e requests", "plain e slices", "z-test"};
using References = std::array<std::optional<double>, reference_names.size()>;
References references(const Cell& cell, const Trace& trace, double scrape_phase);

}  // namespace arashi::sim
