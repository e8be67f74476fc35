// What is left to chance for a single packet: events that remember the one before, and the models of loss. Pure.
#pragma once

#include "injector/network/effects.hpp"

#include <random>

namespace arashi::workers {

using Random = std::mt19937_64;
double draw(Random& random);  // 0 ≤ x < 1

// An event that happens to exactly the given share of packets in the long run, with exactly the given correlation between one packet and
// the next: with probability `correlation` the packet fares like the one before it, else the die is cast anew.
class CorrelatedEvent {
 public:
  explicit CorrelatedEvent(const Chance& chance) : chance_(chance) {}
  bool happens(Random& random);

 private:
  Chance chance_;
  bool before_ = false, begun_ = false;
};

// The loss of Effects, by whichever of its models.
class LossModel {
 public:
  explicit LossModel(const Effects& effects);
  // grown: 0 to 1, how much of the loss is in force; the chain behind it runs on all the same.
  bool loses(Random& random, double grown);

 private:
  bool by_chain(Random& random);
  bool by_two_states(Random& random, const GilbertElliott& model);
  bool by_four_states(Random& random, const FourState& model);

  CorrelatedEvent event_;
  std::optional<GilbertElliott> two_;
  std::optional<FourState> four_;
  bool bad_ = false;
  int state_ = 1;  // of four
};

}  // namespace arashi::workers
