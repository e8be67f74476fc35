// How long each packet is delayed: delay, jitter, distribution and correlation. Pure.
#pragma once

#include "agent/workers/chances.hpp"

#include <vector>

namespace arashi::workers {

struct Varying {
  Duration mean{}, jitter{};
  Shape shape = Shape::uniform;
  std::vector<std::int16_t> table = {};  // for Shape::table
  double correlation = 0;
};

// The distribution of single values is the one asked for whatever the correlation: what is correlated is a normal value behind it, whose
// rank among all is then the rank of the delay.
class DelayModel {
 public:
  explicit DelayModel(Varying varying);
  // grown: 0 to 1, the part of delay and jitter that is in force. Never negative.
  Duration draw_delay(Random& random, double grown);

 private:
  double draw_rank(Random& random);
  [[nodiscard]] double deviation_at(double rank) const;  // in jitters

  Varying varying_;
  double behind_ = 0;  // the normal value of the last packet
  bool begun_ = false;
};

}  // namespace arashi::workers
