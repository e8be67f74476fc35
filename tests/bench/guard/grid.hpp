// Which experiments are simulated.
#pragma once

#include "tests/bench/guard/world.hpp"

namespace arashi::sim {

// `scale`: how many of the long grid's runs a cell gets; the short form has fewer cells too.
std::vector<Cell> long_grid(double scale);
std::vector<Cell> short_grid();

}  // namespace arashi::sim
