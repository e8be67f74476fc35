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
  begin_ = end_ = Duration{};
  total_ = bad_ = 0;
}

std::string Streak::measured() const {
  if (!problem_.empty()) return problem_;
  if (total_ == 0) return "not one event in " + to_text(std::chrono::duration_cast<std::chrono::milliseconds>(covered()));
  std::ostringstream text;
  const double ratio = static_cast<double>(bad_) / static_cast<double>(total_);
  text.precision(3);
  text << bad_ << " of " << total_ << " bad (" << ratio * 100 << "%), the objective allows " << (1 - objective_) * 100 << "%";
  return text.str();
}

}  // namespace arashi::run
