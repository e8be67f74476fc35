// What a counting program of the user's prints → slices. Pure.
#pragma once

#include "experiments/guard/guard.hpp"

#include <string_view>

namespace arashi::sli {

// Lines of JSON: {"good": 9, "bad": 1} or {"total": 10, "bad": 1}, with "t" (seconds since 1970) for when the counting ended; absent: now.
class ProgramOutput {
 public:
  // counters: the numbers only grow, and what came between two lines is counted; else each line has the events since the one before.
  explicit ProgramOutput(bool counters) : counters_(counters) {}

  // `now`, `zero`: our time, and the wall clock at our time 0 in seconds since 1970.
  Result<std::vector<guard::Slice>> read(std::string_view output, Duration now, double zero);
  [[nodiscard]] Duration known_until() const { return last_; }

 private:
  struct Line {
    Duration at{};
    double total = 0, bad = 0;
  };
  static Result<Line> parse(std::string_view text, Duration now, double zero);
  void take(Line line, std::vector<guard::Slice>& slices);

  bool counters_;
  bool begun_ = false;
  Duration last_{};
  double total_ = 0, bad_ = 0;
};

}  // namespace arashi::sli
