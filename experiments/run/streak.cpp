#include "experiments/run/streak.hpp"

#include <cmath>
#include <sstream>

namespace arashi::run {

namespace {

constexpr double chance = 0.01;

// Relative entropy of Bernoulli(p) to Bernoulli(q), in nats.
double divergence(double p, double q) {
  const double good = p < 1 ? (1 - p) * std::log((1 - p) / (1 - q)) : 0;
  return p * std::log(p / q) + good;
}

}  // namespace

bool within_objective(std::uint64_t total, std::uint64_t bad, double objective) {
  const double allowed = 1 - objective;
  if (bad == 0) return true;
  const auto events = static_cast<double>(total);
  const double ratio = static_cast<double>(bad) / events;
  if (ratio <= allowed) return true;
  return std::exp(-events * divergence(ratio, allowed)) >= chance;
}

void Streak::extend(const guard::Slice& slice) {
  if (slice.state != guard::Freshness::fresh) {
    restart();
    problem_ = std::string(guard::name_of(slice.state)) + (slice.problem.empty() ? "" : ": " + slice.problem);
    return;
  }
  if (slice.begin > end_) restart();  // nobody knows what was in between
  if (covered() == Duration{}) begin_ = slice.begin;
  end_ = slice.end;
  total_ += slice.total;
  bad_ += slice.bad;
  problem_.clear();
}

void Streak::restart() {
  earlier_total_ += total_;
  earlier_bad_ += bad_;
  begin_ = end_ = Duration{};
  total_ = bad_ = 0;
}

void Streak::forget() { *this = Streak(objective_); }

std::string Streak::counted(std::uint64_t total, std::uint64_t bad) const {
  std::ostringstream text;
  text.precision(3);
  text << bad << " of " << total << " bad (" << static_cast<double>(bad) / static_cast<double>(total) * 100 << "%), the objective allows "
       << (1 - objective_) * 100 << "%";
  return text.str();
}

std::string Streak::measured() const {
  if (!problem_.empty()) return problem_;
  if (total_ == 0) return "not one event in " + to_text(std::chrono::duration_cast<std::chrono::milliseconds>(covered()));
  return counted(total_, bad_);
}

std::string Streak::measured_in_all() const {
  const std::uint64_t total = earlier_total_ + total_;
  if (total == 0) return problem_.empty() ? "not one event came" : problem_;
  return counted(total, earlier_bad_ + bad_) + (problem_.empty() ? "" : "; at the end: " + problem_);
}

}  // namespace arashi::run
