// Pieces of a growing log, as they are read → counts. Pure.
#pragma once

#include "experiments/sli/logs/log_format.hpp"

#include <map>

namespace arashi::sli {

class LogCounts {
 public:
  LogCounts(LogFormat format, LogJudge judge) : format_(std::move(format)), judge_(std::move(judge)) {}

  // Lines that give an older time are not counted; seconds since 1970.
  void leave_out_before(double time) { from_ = time; }
  // Lines are counted by the stretch of time that they belong to as well; stretches begin at multiples of this length since 1970.
  void keep_stretches(Duration length) { stretch_ = length; }
  // Any piece of the file; a line that is not ended yet waits for its rest.
  void add(std::string_view piece);
  // The file begins anew: what was half of a line will never be whole.
  void forget_rest() { rest_.clear(); }

  struct Counts {
    std::uint64_t total = 0, bad = 0;
    std::uint64_t lines = 0, foreign = 0;  // all lines; those not of the format
    std::string example;                   // of a foreign one
    std::optional<double> oldest, newest;  // times the lines give, seconds since 1970; of those left out too
  };
  // By the stretch's number since 1970.
  [[nodiscard]] const std::map<std::int64_t, guard::Counts>& stretches() const { return stretches_; }
  // Since the last call.
  Counts take() { return std::exchange(counts_, {}); }

 private:
  void add_rest(std::string_view part);
  void end_line();
  void line(std::string_view text);

  LogFormat format_;
  LogJudge judge_;
  std::optional<double> from_;
  Duration stretch_{};  // 0: none are kept
  std::map<std::int64_t, guard::Counts> stretches_;
  std::string rest_;
  bool skipping_ = false;  // inside of a line that is too long
  Counts counts_;
};

}  // namespace arashi::sli
