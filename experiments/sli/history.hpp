#pragma once

#include "injector/core/units.hpp"

namespace arashi::sli {

// Events of the last window, and over how much of it they were seen.
struct History {
  double events = 0, bad = 0;
  Duration covered{};
};

}  // namespace arashi::sli
