#include "experiments/plan/draw.hpp"

#include "experiments/plan/plan.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <tuple>

namespace arashi::plan {
namespace {

// splitmix64 (Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators, 2014); <random>'s distributions differ by library.
std::uint64_t next(std::uint64_t& state) {
  state += 0x9E3779B97F4A7C15U;
  std::uint64_t mixed = state;
  mixed = (mixed ^ (mixed >> 30U)) * 0xBF58476D1CE4E5B9U;
  mixed = (mixed ^ (mixed >> 27U)) * 0x94D049BB133111EBU;
  return mixed ^ (mixed >> 31U);
}

// 0 … below-1, each as likely as the others.
std::size_t next_below(std::uint64_t& state, std::size_t below) {
  const std::uint64_t fair = UINT64_MAX - UINT64_MAX % below;
  std::uint64_t value = next(state);
  while (value >= fair) value = next(state);
  return static_cast<std::size_t>(value % below);
}

auto order_of(const Victim& victim) { return std::tie(victim.label, victim.netns_path, victim.cgroup_path, victim.pid, victim.start_time); }

}  // namespace

std::size_t how_many(std::size_t found, const spec::Pick& how) {
  switch (how.mode) {
    case spec::Pick::Mode::all:
      return found;
    case spec::Pick::Mode::one:
      return std::min<std::size_t>(found, 1);
    case spec::Pick::Mode::count:
      return static_cast<std::size_t>(std::max(how.count, 0));
    case spec::Pick::Mode::percent:
      break;
  }
  const double part = std::ceil(static_cast<double>(found) * how.percent.fraction - 1e-9);
  return found == 0 ? 0 : std::clamp<std::size_t>(static_cast<std::size_t>(part), 1, found);
}

std::uint64_t seed_for(const std::string& target, std::uint64_t fresh_seed) {
  std::uint64_t state = fresh_seed;
  for (const char c : target) state = next(state) ^ static_cast<unsigned char>(c);
  return next(state) & 0xFFFFFFFFU;
}

std::vector<std::size_t> draw(const std::vector<Victim>& found, const spec::Pick& how, std::uint64_t seed) {
  std::vector<std::size_t> order(found.size());
  std::iota(order.begin(), order.end(), 0);
  const auto by_label = [&](std::size_t a, std::size_t b) { return order_of(found[a]) < order_of(found[b]); };
  std::ranges::sort(order, by_label);
  const std::size_t wanted = std::min(how_many(found.size(), how), found.size());
  for (std::size_t i = 0; i < wanted; ++i) std::swap(order[i], order[i + next_below(seed, order.size() - i)]);
  order.resize(wanted);
  std::ranges::sort(order, by_label);
  return order;
}

std::vector<Victim> pick(const std::vector<Victim>& found, const spec::Pick& how, std::uint64_t seed) {
  std::vector<Victim> picked;
  for (const std::size_t index : draw(found, how, seed)) picked.push_back(found[index]);
  return picked;
}

}  // namespace arashi::plan
