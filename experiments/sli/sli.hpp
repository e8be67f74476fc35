// A source of good and bad counts for one SLO. It runs on threads of its own; drain() never waits.
#pragma once

#include "experiments/guard/guard.hpp"

#include <vector>

namespace arashi::sli {

class Source {
 public:
  virtual ~Source() = default;
  // The slices closed since the last call, in order; times since `epoch` given at construction (CLOCK_BOOTTIME).
  virtual std::vector<guard::Slice> drain() = 0;
};

}  // namespace arashi::sli
