#include "experiments/guard/control.hpp"

#include <algorithm>
#include <cmath>

namespace arashi::guard {
namespace {

// Ratios from 1/1000 to 1000; 1 is the middle one.
constexpr int grid = 241;
constexpr int middle = grid / 2;
constexpr Duration early = std::chrono::seconds(10);
constexpr double outside = 0.05;  // P(the interval ever misses the truth)

Counts untouched_of(const Slice& slice) {
  return {std::min(slice.control->total, slice.total), std::min({slice.control->bad, slice.control->total, slice.bad})};
}

double ratio_at(int i) { return std::pow(1000.0, static_cast<double>(i - middle) / middle); }

// Log-likelihood of `bad` of which `treated` are at the faulted replicas, whose traffic is so large a `share` of it all.
double gain(double ratio, double share, double treated, double untouched) {
  const double both = share * ratio + (1 - share);
  return (treated > 0 ? treated * std::log(share * ratio / both) : 0) + (untouched > 0 ? untouched * std::log((1 - share) / both) : 0);
}

}  // namespace

ControlGroup::ControlGroup(double m, Duration planned, double log_incident)
    : likelihood_(grid, 0.0), incident_(m, planned), early_incident_(m), log_threshold_(log_incident) {}

void ControlGroup::add(const Slice& slice) {
  const Counts untouched = untouched_of(slice);
  const Counts faulted{slice.total - untouched.total, std::min(slice.bad - untouched.bad, slice.total - untouched.total)};
  seen_ = true;
  treated_.total += faulted.total;
  treated_.bad += faulted.bad;
  control_.total += untouched.total;
  control_.bad += untouched.bad;
  look_at_untouched(slice, untouched);
  // Without traffic in both groups, or without a bad event, nothing is learned of the ratio.
  if (faulted.total == 0 || untouched.total == 0 || faulted.bad + untouched.bad == 0) return;
  const double share = static_cast<double>(faulted.total) / static_cast<double>(faulted.total + untouched.total);
  for (int i = 0; i < grid; ++i)
    likelihood_[static_cast<std::size_t>(i)] +=
        gain(ratio_at(i), share, static_cast<double>(faulted.bad), static_cast<double>(untouched.bad));
}

void ControlGroup::add_after(const Slice& slice) { look_at_untouched(slice, untouched_of(slice)); }

// The mean of two e-values is an e-value.
void ControlGroup::look_at_untouched(const Slice& slice, const Counts& untouched) {
  if (!first_) first_ = slice.begin;
  incident_.add(static_cast<double>(untouched.total), static_cast<double>(untouched.bad), slice.end - slice.begin);
  if (slice.end <= *first_ + early) early_incident_.add(untouched.total, untouched.bad);
  highest_incident_ = std::max(highest_incident_, log_add(incident_.log_e(), early_incident_.log_e()) - std::log(2.0));
}

// A ratio is ruled out when the mean likelihood of all is 1/outside times its own: under it that is an e-process (Ville).
Effect ControlGroup::effect() const {
  Effect effect{.treated = treated_, .control = control_};
  const double mean = log_sum(likelihood_) - std::log(static_cast<double>(grid));
  const auto possible = [&](double likelihood) { return mean - likelihood < -std::log(outside); };
  const auto best = std::max_element(likelihood_.begin(), likelihood_.end());
  const auto first = std::find_if(likelihood_.begin(), likelihood_.end(), possible);
  const auto last = std::find_if(likelihood_.rbegin(), likelihood_.rend(), possible);
  const bool learned = *best > *std::min_element(likelihood_.begin(), likelihood_.end());
  effect.ratio = learned ? ratio_at(static_cast<int>(best - likelihood_.begin())) : 1;
  effect.lowest = first == likelihood_.begin() ? 0 : ratio_at(static_cast<int>(first - likelihood_.begin()));
  if (last != likelihood_.rbegin()) effect.highest = ratio_at(static_cast<int>(likelihood_.rend() - last) - 1);
  const std::vector<double> harm(likelihood_.begin() + middle + 1, likelihood_.end());
  effect.log_e = log_sum(harm) - std::log(static_cast<double>(harm.size())) - likelihood_[middle];
  effect.log_incident = highest_incident_;
  const bool incident = highest_incident_ >= log_threshold_;
  const bool harmed = effect.lowest > 1;
  if (incident || harmed) effect.cause = incident && harmed ? Cause::both : harmed ? Cause::fault : Cause::incident;
  return effect;
}

}  // namespace arashi::guard
