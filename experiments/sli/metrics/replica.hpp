// One replica's counters, page after page → how many events came in between. Pure.
#pragma once

#include "experiments/sli/metrics/page.hpp"

namespace arashi::sli {

class Replica {
 public:
  struct Growth {
    double total = 0, bad = 0;
    bool anew = false;       // a counter began anew: what it had counted since the last page is gone
    bool comparable = true;  // false: a native histogram has changed its resolution, so its bad ones are not known
    bool late_born = false;  // its first page: `total` and `bad` are of its whole life, and none need be new
  };
  explicit Replica(bool part_is_good) : part_is_good_(part_is_good) {}

  // A counter that fell, or was created anew, began at 0; so did a series first seen on a later page.
  Growth take(const Page& page);

 private:
  using Tallies = std::map<std::string, Tally>;
  static double grow(Tallies& known, const Tallies& seen, Growth& growth);

  bool part_is_good_;
  bool begun_ = false;
  Tallies part_, total_;
};

}  // namespace arashi::sli
