#include "experiments/sli/metrics/replica.hpp"

#include <algorithm>

namespace arashi::sli {

double Replica::grow(Tallies& known, const Tallies& seen, Growth& growth) {
  double grown = 0;
  for (const auto& [series, tally] : seen) {
    const auto [before, born] = known.try_emplace(series);
    const Tally old = std::exchange(before->second, tally);
    const bool anew = born || tally.value < old.value || (tally.created > 0 && old.created > 0 && tally.created > old.created);
    if (!born && !anew && tally.resolution != old.resolution) growth.comparable = false;
    growth.anew = growth.anew || (anew && !born);
    grown += anew ? tally.value : tally.value - old.value;
  }
  return grown;
}

Replica::Growth Replica::take(const Page& page) {
  Growth growth{.late_born = !std::exchange(begun_, true)};
  const double part = grow(part_, page.part, growth);
  growth.total = grow(total_, page.total, growth);
  growth.bad = part_is_good_ ? std::max(growth.total - part, 0.0) : part;
  growth.total = std::max(growth.total, growth.bad);
  return growth;
}

}  // namespace arashi::sli
