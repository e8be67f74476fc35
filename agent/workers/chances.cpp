#include "agent/workers/chances.hpp"

namespace arashi::workers {

double draw(Random& random) {
  constexpr double steps = 0x1p-53;
  constexpr unsigned unused_bits = 11;
  return static_cast<double>(random() >> unused_bits) * steps;
}

bool CorrelatedEvent::happens(Random& random) {
  if (chance_.share <= 0) return false;
  const bool as_before = begun_ && chance_.correlation > 0 && draw(random) < chance_.correlation;
  if (!as_before) before_ = draw(random) < chance_.share;
  begun_ = true;
  return before_;
}

LossModel::LossModel(const Effects& effects)
    : event_({effects.loss, effects.loss_correlation}), two_(effects.gilbert_elliott), four_(effects.four_state) {}

bool LossModel::loses(Random& random, double grown) {
  const bool lost = two_ || four_ ? by_chain(random) : event_.happens(random);
  return lost && (grown >= 1 || draw(random) < grown);
}

bool LossModel::by_chain(Random& random) { return two_ ? by_two_states(random, *two_) : by_four_states(random, *four_); }

// The packet fares by the state that it finds, and then changes it.
bool LossModel::by_two_states(Random& random, const GilbertElliott& model) {
  const bool lost = draw(random) < (bad_ ? model.lost_in_bad : model.lost_in_good);
  if (draw(random) < (bad_ ? model.r : model.p)) bad_ = !bad_;
  return lost;
}

// The packet changes the state and fares by the new one.
bool LossModel::by_four_states(Random& random, const FourState& model) {
  const double chance = draw(random);
  switch (state_) {
    case 1:
      state_ = chance < model.p14 ? 4 : chance < model.p14 + model.p13 ? 3 : 1;
      break;
    case 2:
      state_ = chance < model.p23 ? 3 : 2;
      break;
    case 3:
      state_ = chance < model.p32 ? 2 : chance < model.p32 + model.p31 ? 1 : 3;
      break;
    default:
      state_ = 1;
  }
  return state_ == 3 || state_ == 4;
}

}  // namespace arashi::workers
