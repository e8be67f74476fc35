// The sequential tests of the guard's second layer, in the log domain. An e-value is the wealth of a gambler who bets against the null
// hypothesis: under it his expected wealth never exceeds 1, so P(he ever holds 1/alpha) <= alpha (Ville), however often one looks.
#pragma once

#include "injector/core/units.hpp"

#include <cstdint>
#include <vector>

namespace arashi::guard {

double log_add(double a, double b);  // log(e^a + e^b)
double log_sum(const std::vector<double>& logs);

// Weighted Shiryaev-Roberts over slices. Null: the mean of a slice's bad ratio, given the past, never exceeds m. One bet per slice with
// events, whatever its length, so that a burst inside a slice counts once. Starts a gambler of weight length / planned at each slice: an
// effect that comes late is found as fast as one at the start, for log(number of slices) more evidence.
class SliceTest {
 public:
  // `highest_stake`: none is bolder (0: no limit).
  SliceTest(double m, Duration planned, double highest_stake = 0);
  void add(double total, double bad, Duration length);
  [[nodiscard]] double log_e() const;

 private:
  double m_, planned_;
  double unstarted_ = 1;        // weight of the gamblers who have not begun
  std::vector<double> lambda_;  // stakes, each in (0, 1/m)
  std::vector<double> wealth_;  // per stake, log
};

// The highest stake with which a total outage of `grace` in slices of 1 s does not reach `log_threshold`, however it was before.
double stake_for(Duration grace, double log_threshold, double m);

// Mixture over error ratios p against the null "no request is bad with probability > m": per request, so quick, but a blip is
// a true alternative to it. Used in the first seconds after an injection only. Errors come together: what is added at once counts as at
// most 20 independent requests of the same error ratio (their number at a correlation of 0.05), which only ever weakens the evidence.
class RequestTest {
 public:
  explicit RequestTest(double m);
  void add(std::uint64_t total, std::uint64_t bad);
  [[nodiscard]] double log_e() const;

 private:
  std::vector<double> gain_bad_, gain_good_, wealth_;  // logs, per p
};

// The mirror: null "every request is bad with probability >= m". Large means: shown to burn slower than that. Read at the end, not at
// its highest.
class HeldTest {
 public:
  explicit HeldTest(double m);
  void add(std::uint64_t total, std::uint64_t bad);
  [[nodiscard]] double log_e() const;
  // So many events without a bad one reach `log_threshold` from nothing.
  [[nodiscard]] static std::uint64_t clean_events(double m, double log_threshold);

 private:
  std::vector<double> gain_bad_, gain_good_, wealth_;
};

}  // namespace arashi::guard
