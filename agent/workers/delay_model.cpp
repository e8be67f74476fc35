#include "agent/workers/delay_model.hpp"

#include "injector/network/delay_distribution.hpp"

#include <algorithm>
#include <cmath>

namespace arashi::workers {

DelayModel::DelayModel(Varying varying) : varying_(std::move(varying)) {
  if (varying_.jitter > Duration{} && varying_.shape != Shape::table) varying_.table = delay_table(varying_.shape);
}

double DelayModel::draw_rank(Random& random) {
  if (varying_.correlation <= 0) return draw(random);
  const double fresh = std::normal_distribution<double>()(random);
  const double kept = begun_ ? varying_.correlation : 0;
  behind_ = kept * behind_ + std::sqrt(1 - kept * kept) * fresh;
  begun_ = true;
  return normal_probability(behind_);
}

double DelayModel::deviation_at(double rank) const {
  const auto& table = varying_.table;
  if (varying_.shape == Shape::uniform || table.empty()) return 2 * rank - 1;
  const auto last = static_cast<double>(table.size() - 1);
  if (varying_.shape == Shape::table) {  // a sample of the user's as it is, as netem does
    const auto at = static_cast<std::size_t>(std::min(rank * static_cast<double>(table.size()), last));
    return table[at] / table_scale;
  }
  const double place = std::clamp(rank * static_cast<double>(table.size()) - 0.5, 0.0, last);
  const auto below = static_cast<std::size_t>(place);
  const auto above = std::min(below + 1, table.size() - 1);
  return std::lerp(static_cast<double>(table[below]), static_cast<double>(table[above]), place - std::floor(place)) / table_scale;
}

Duration DelayModel::draw_delay(Random& random, double grown) {
  auto delay = static_cast<double>(varying_.mean.count());
  if (varying_.jitter > Duration{}) delay += deviation_at(draw_rank(random)) * static_cast<double>(varying_.jitter.count());
  return Duration(std::llround(std::max(0.0, delay * grown)));
}

}  // namespace arashi::workers
