// The rate of a load as a line with corners, and its inverse: when the n-th request is due.
#pragma once

#include "experiments/spec/load/load.hpp"

#include <vector>

namespace arashi::spec {

class RateLine {
 public:
  explicit RateLine(const Load& load);  // one by rate, not by record
  // Requests expected in the first so many seconds.
  [[nodiscard]] double requests_until(double seconds) const;
  // The inverse: after how many seconds so many are expected. Fast where `requests` grows from call to call.
  [[nodiscard]] double when(double requests) const;
  // The highest rate in the first so many seconds.
  [[nodiscard]] double highest_until(double seconds) const;

 private:
  struct Piece {                                                 // a straight line
    double begin = 0, length = 0, from = 0, to = 0, before = 0;  // before: requests expected until its begin
    [[nodiscard]] double slope() const { return length > 0 ? (to - from) / length : 0; }
    [[nodiscard]] double requests(double since_begin) const { return since_begin * (from + slope() * since_begin / 2); }
  };
  std::vector<Piece> pieces_;  // the last one is level and has no end
  mutable std::size_t last_ = 0;
};

}  // namespace arashi::spec
