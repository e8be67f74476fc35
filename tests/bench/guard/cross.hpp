// The full cross products of the grid's axes, a few runs a cell; printed by what they have in common, for the cells are too many to list.
#pragma once

namespace arashi::sim {

// Prints experiments/guard/PROOF-GRID.md; false where a mark is missed. `runs` of each cell of the products; `sample`: so many experiments
// drawn at random from the product of all axes.
bool print_cross_products(int runs, int sample);

}  // namespace arashi::sim
