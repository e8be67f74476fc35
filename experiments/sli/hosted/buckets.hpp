// Counts that a monitoring system keeps for stretches of time → slices, each once and only when it is complete. Pure.
#pragma once

#include "experiments/guard/guard.hpp"

#include <map>

namespace arashi::sli {

// Times are milliseconds since 1970 by the server's clock.
using Points = std::map<std::int64_t, double>;  // by the begin of the stretch

struct Batch {
  std::int64_t width = 0;
  Points bad, total;  // no point of bad where total has one: none were bad
};

struct Stretch {
  std::int64_t from = 0, to = 0, width = 0;  // whole widths
};

class Buckets {
 public:
  // Counts younger than `lag` are not complete yet; it is asked every `every`.
  Buckets(Duration width, Duration every, Duration lag);

  // What to ask for at `now`: from what is not known yet, at most an hour back.
  [[nodiscard]] Stretch wanted(double now) const;
  // `asked`: our time; `now`, `zero`: the server's time then, and at our time 0, in seconds since 1970.
  std::vector<guard::Slice> take(const Result<Batch>& batch, Duration asked, double now, double zero);

 private:
  [[nodiscard]] Result<void> check(const Batch& batch) const;
  [[nodiscard]] Duration ours(std::int64_t time, double zero) const;

  std::int64_t width_, lag_, every_;
  std::int64_t known_until_ = 0;  // 0: nothing yet
};

}  // namespace arashi::sli
