#include "experiments/guard/e_process.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace arashi::guard {
namespace {

constexpr double minus_infinity = -std::numeric_limits<double>::infinity();
constexpr int stakes = 16;  // from 0.98/m down by a factor of 1.5 each: to 1/440 of the largest
constexpr double stake_step = 1.5;
constexpr int alternatives = 24;
constexpr double most_independent = 20;
constexpr int mirror_alternatives = 8;  // 0 and m/2 ... m/128

// count * gain without 0 * -infinity.
double times(std::uint64_t count, double gain) { return count == 0 ? 0 : static_cast<double>(count) * gain; }

double mixture(const std::vector<double>& wealth) { return log_sum(wealth) - std::log(static_cast<double>(wealth.size())); }

double log_odds(double p) { return std::log(p / (1 - p)); }

}  // namespace

double log_add(double a, double b) {
  const double high = std::max(a, b);
  if (high == minus_infinity) return high;
  return high + std::log1p(std::exp(std::min(a, b) - high));
}

double log_sum(const std::vector<double>& logs) {
  double sum = minus_infinity;
  for (const double value : logs) sum = log_add(sum, value);
  return sum;
}

double stake_for(Duration grace, double log_threshold, double m) {
  const double slices = std::ceil(seconds(grace)) + 1;  // it may begin and end within a slice
  return std::expm1(log_threshold / slices) / (1 - m) * 0.999;
}

SliceTest::SliceTest(double m, Duration planned, double highest_stake) : m_(m), planned_(std::max(seconds(planned), 1.0)) {
  double lambda = 0.98 / m;  // a clean slice keeps 2 % of the boldest gambler's wealth
  if (highest_stake > 0) lambda = std::min(lambda, highest_stake);
  for (int i = 0; i < stakes; ++i, lambda /= stake_step) lambda_.push_back(lambda);
  wealth_.assign(lambda_.size(), minus_infinity);
}

void SliceTest::add(double total, double bad, Duration length) {
  if (!(total > 0)) return;  // no event, no bet
  const double ratio = std::min(bad, total) / total;
  const double weight = std::min(unstarted_, std::max(seconds(length), 0.0) / planned_);
  for (std::size_t i = 0; i < lambda_.size(); ++i)
    wealth_[i] = log_add(wealth_[i], std::log(weight)) + std::log1p(lambda_[i] * (ratio - m_));
  unstarted_ -= weight;
}

double SliceTest::log_e() const { return log_add(mixture(wealth_), std::log(unstarted_)); }

RequestTest::RequestTest(double m) {
  const double lowest = log_odds(std::min(1.25 * m, 1 - (1 - m) / 2));
  const double highest = log_odds(1 - (1 - m) / 1000);
  for (int i = 0; i < alternatives; ++i) {
    const double odds = lowest + (highest - lowest) * i / (alternatives - 1);
    const double p = 1 / (1 + std::exp(-odds));
    gain_bad_.push_back(std::log(p / m));
    gain_good_.push_back(std::log((1 - p) / (1 - m)));
  }
  wealth_.assign(alternatives, 0);
}

// A likelihood ratio to a power below 1 has a mean below 1 as well (Jensen).
void RequestTest::add(std::uint64_t total, std::uint64_t bad) {
  if (total == 0) return;
  bad = std::min(bad, total);
  const double weight = std::min(1.0, most_independent / static_cast<double>(total));
  for (std::size_t i = 0; i < wealth_.size(); ++i) wealth_[i] += weight * (times(bad, gain_bad_[i]) + times(total - bad, gain_good_[i]));
}

double RequestTest::log_e() const { return mixture(wealth_); }

HeldTest::HeldTest(double m) {
  for (int i = 0; i < mirror_alternatives; ++i) {
    const double p = i == 0 ? 0 : std::ldexp(m, -i);
    gain_bad_.push_back(i == 0 ? minus_infinity : std::log(p / m));
    gain_good_.push_back(std::log((1 - p) / (1 - m)));
  }
  wealth_.assign(mirror_alternatives, 0);
}

void HeldTest::add(std::uint64_t total, std::uint64_t bad) {
  bad = std::min(bad, total);
  for (std::size_t i = 0; i < wealth_.size(); ++i) wealth_[i] += times(bad, gain_bad_[i]) + times(total - bad, gain_good_[i]);
}

double HeldTest::log_e() const { return mixture(wealth_); }

std::uint64_t HeldTest::clean_events(double m, double log_threshold) {
  const auto reaches = [&](std::uint64_t events) {
    HeldTest test(m);
    test.add(events, 0);
    return test.log_e() >= log_threshold;
  };
  std::uint64_t enough = 1;
  while (enough < std::uint64_t{1} << 60U && !reaches(enough)) enough *= 2;
  std::uint64_t too_few = enough / 2;
  while (enough - too_few > 1) {
    const std::uint64_t middle = too_few + (enough - too_few) / 2;
    (reaches(middle) ? enough : too_few) = middle;
  }
  return enough;
}

}  // namespace arashi::guard
