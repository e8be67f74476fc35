#include "injector/network/effects.hpp"

#include <algorithm>

namespace arashi {

bool Effects::loses() const { return loss > 0 || gilbert_elliott || four_state; }
bool Effects::chances() const { return loses() || duplicate.share > 0 || corrupt.share > 0 || reorder.share > 0; }
bool Effects::holds() const { return delay > Duration{} || reorder.share > 0 || rate.bits_per_second > 0 || slot; }

std::string_view name_of(Shape shape) {
  switch (shape) {
    case Shape::normal:
      return "normal";
    case Shape::pareto:
      return "pareto";
    case Shape::paretonormal:
      return "paretonormal";
    case Shape::table:
      return "table";
    case Shape::uniform:
      break;
  }
  return "uniform";
}

namespace {

double bad_share(double in, double out) { return in + out > 0 ? in / (in + out) : 0; }

// The chain's stationary shares: state 4 is left for 1 at once; 1 → 3 → (1 or 2), 2 → 3.
double lost_by(const FourState& state) {
  if (state.p13 <= 0) return state.p14 / (1 + state.p14);
  if (state.p31 <= 0) {  // never back to a gap
    return state.p32 > 0 ? state.p23 / (state.p23 + state.p32) : 1;
  }
  const double in_gap = 1;
  const double burst_lost = state.p13 / state.p31;
  const double burst_received = state.p23 > 0 ? burst_lost * state.p32 / state.p23 : 0;
  if (state.p23 <= 0 && state.p32 > 0) return 0;  // ends in state 2 for good
  const double alone = state.p14;
  return (burst_lost + alone) / (in_gap + burst_lost + burst_received + alone);
}

}  // namespace

double long_run_loss(const Effects& effects) {
  if (const auto& model = effects.gilbert_elliott) {
    const double bad = bad_share(model->p, model->r);
    return bad * model->lost_in_bad + (1 - bad) * model->lost_in_good;
  }
  if (effects.four_state) return lost_by(*effects.four_state);
  return effects.loss;
}

std::uint32_t queue_limit(const Effects& effects) {
  constexpr double packets_per_second = 200'000;
  constexpr double least = 1'000;
  constexpr double most = 1'000'000;
  if (effects.limit > 0) return effects.limit;
  const auto slot = effects.slot ? std::max(effects.slot->most, effects.slot->delay + effects.slot->jitter) : Duration{};
  return static_cast<std::uint32_t>(std::clamp(seconds(effects.delay + effects.jitter + slot) * packets_per_second, least, most));
}

Result<Shape> shape_named(std::string_view name) {
  for (const auto shape : {Shape::uniform, Shape::normal, Shape::pareto, Shape::paretonormal, Shape::table})
    if (name == name_of(shape)) return shape;
  return fail(Blame::input, "distribution '", name, "' is not one of uniform, normal, pareto, paretonormal, table");
}

}  // namespace arashi
