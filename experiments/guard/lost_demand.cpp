#include "experiments/guard/lost_demand.hpp"

#include "experiments/guard/e_process.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

namespace arashi::guard {
namespace {

// Traffic wanders by itself: a fifth less is no loss yet. The shares of that which may be left.
constexpr double usual_share = 0.8;
constexpr std::array<double, 5> left{0, 0.125, 0.25, 0.5, 0.75};
constexpr double least_learned = 20;  // events before the first injection, to know what is usual

}  // namespace

LostDemand::LostDemand(CountLost against, Duration planned, double log_threshold)
    : against_(against),
      planned_(std::max(seconds(planned), 1.0)),
      log_threshold_(log_threshold),
      wealth_(left.size(), -std::numeric_limits<double>::infinity()) {}

void LostDemand::learn(const Slice& slice) {
  learned_time_ += std::max(seconds(slice.end - slice.begin), 0.0);
  const double untouched = slice.control ? static_cast<double>(std::min(slice.control->total, slice.total)) : 0;
  learned_control_ += untouched;
  learned_events_ += static_cast<double>(slice.total) - (against_ == CountLost::control ? untouched : 0);
}

LostDemand::Expectation LostDemand::expected(const Slice& slice) const {
  if (learned_events_ < least_learned || learned_time_ <= 0) return {};
  // Three standard errors below what was seen: the null must be true when nothing is wrong.
  const double usual = (learned_events_ - 3 * std::sqrt(learned_events_)) * usual_share;
  if (usual <= 0) return {};
  if (against_ == CountLost::before) return {.events = usual / learned_time_ * seconds(slice.end - slice.begin)};
  if (!slice.control || learned_control_ < least_learned) return {};
  const auto untouched = static_cast<double>(std::min(slice.control->total, slice.total));
  return {.events = usual / (learned_control_ + 3 * std::sqrt(learned_control_)) * untouched, .untouched = untouched};
}

void LostDemand::bet(const Slice& slice, const Expectation& expectation) {
  const double weight = std::min(unstarted_, seconds(slice.end - slice.begin) / planned_);
  const double came = static_cast<double>(slice.total) - expectation.untouched;
  for (std::size_t i = 0; i < left.size(); ++i) {
    double gain = 0;
    if (against_ == CountLost::before) {
      gain = expectation.events * (1 - left[i]) + (came > 0 ? came * std::log(left[i]) : 0);
    } else {  // of came + untouched events, each is a faulted replica's with probability e/(e + u)
      const double odds = expectation.events / expectation.untouched;
      const double all = std::log1p(odds) - std::log1p(left[i] * odds);
      gain = (came > 0 ? came * (std::log(left[i]) + all) : 0) + expectation.untouched * all;
    }
    wealth_[i] = log_add(wealth_[i], std::log(weight)) + gain;
  }
  unstarted_ -= weight;
}

std::uint64_t LostDemand::add(const Slice& slice) {
  const Expectation expectation = expected(slice);
  if (expectation.events <= 0 || slice.end <= slice.begin) return 0;
  bet(slice, expectation);
  const double came = static_cast<double>(slice.total) - expectation.untouched;
  deficit_ = std::max(deficit_ + expectation.events - came, 0.0);
  if (log_e() < log_threshold_) return 0;
  const auto shown = static_cast<std::uint64_t>(deficit_);
  deficit_ -= static_cast<double>(shown);
  lost_ += shown;
  return shown;
}

double LostDemand::log_e() const { return log_add(log_sum(wealth_) - std::log(static_cast<double>(left.size())), std::log(unstarted_)); }

}  // namespace arashi::guard
