// SLOs whose budget is counted in time slices: good or bad ones (Timeslices), or each slice's share of bad events (RatioTimeslices).
// Turns the stretches a source reports into slices of the SLO's own length, aligned to the run's start. Private to this folder.
#pragma once

#include "experiments/guard/guard.hpp"

namespace arashi::guard {

struct TimeSlice {
  Duration begin{}, end{};
  double bad = 0;      // 0..1, of what is known
  double unknown = 0;  // so much worse it may have been in truth
  bool counts = true;  // an empty slice may not
};

class TimeSlices {
 public:
  TimeSlices(const SloTerms& slo, const SourceTerms& source);
  // A stretch with its events, and so many more that may be bad for all we know. Stretches come in order. The slices that close with it.
  std::vector<TimeSlice> add(Duration begin, Duration end, double total, double bad, double unknown);
  // What the open slice is worth already, whatever its rest brings.
  [[nodiscard]] double certain() const;
  // What could at most come to the closed ones if everything were bad from what is known to `until`, and as usual after that.
  [[nodiscard]] double worst(Duration until) const;

 private:
  [[nodiscard]] double worth(double total, double bad) const;  // 0..1
  [[nodiscard]] TimeSlice close();
  [[nodiscard]] double rest(Duration from, Duration end) const { return std::max(seconds(end - from), 0.0); }

  Method method_;
  Duration length_;
  double allowed_;  // share of bad events that a good slice may have
  EmptySlice empty_;
  double rate_most_, rate_usual_;
  Duration begin_{}, known_until_{};  // of the open slice
  double total_ = 0, bad_ = 0, unknown_ = 0;
};

}  // namespace arashi::guard
