// Drawing victims: the same seed draws the same ones on every machine and with every compiler, so that a game day can be replayed.
#pragma once

#include "experiments/spec/spec.hpp"

#include <cstdint>
#include <string>
#include <vector>

namespace arashi::plan {

// Indices into `found`, in the order of the victims' labels.
std::vector<std::size_t> draw(const std::vector<Victim>& found, const spec::Pick& how, std::uint64_t seed);

// How many of `found` a pick asks for; Pick::count may ask for more than there are.
std::size_t how_many(std::size_t found, const spec::Pick& how);

// A seed of its own for each target, small enough to be typed into a spec.
std::uint64_t seed_for(const std::string& target, std::uint64_t fresh_seed);

}  // namespace arashi::plan
