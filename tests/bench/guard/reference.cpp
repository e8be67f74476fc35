#include "tests/bench/guard/reference.hpp"

#include "experiments/guard/e_process.hpp"

#include <algorithm>
#include <cmath>

namespace arashi::sim {
namespace {

// Sums since the trace began, with a clean past as long as one likes.
class Past {
 public:
  explicit Past(const Cell& cell, const Trace& trace) : rate_(cell.rate), clean_(trace.clean), step_(trace.step) {
    total_.push_back(0);
    bad_.push_back(0);
    for (std::size_t i = 0; i < trace.total.size(); ++i) {
      total_.push_back(total_.back() + trace.total[i]);
      bad_.push_back(bad_.back() + trace.bad[i]);
    }
  }
  [[nodiscard]] double ratio(double from, double to) const {
    const double total = at(total_, to, rate_) - at(total_, from, rate_);
    return total > 0 ? (at(bad_, to, rate_ * clean_) - at(bad_, from, rate_ * clean_)) / total : 0;
  }

 private:
  [[nodiscard]] double at(const std::vector<double>& sums, double t, double usual) const {
    if (t < 0) return t * usual;
    return sums[std::min(sums.size() - 1, static_cast<std::size_t>(t / step_))];
  }
  double rate_, clean_, step_;
  std::vector<double> total_, bad_;
};

// The page of the SRE workbook, 14.4 over 1 h and 5 min or 6 over 6 h and 30 min; the rule runs every 15 s on scrapes every 15 s.
std::optional<double> google(const Cell& cell, const Trace& trace, double phase) {
  const Past past(cell, trace);
  const double allowed = 1 - cell.objective;
  const double end = static_cast<double>(trace.total.size()) * trace.step;
  for (int look = 0; phase + 15 * look <= end; ++look) {
    const double now = phase + 15 * look;
    const auto over = [&](double hours, double burn) {
      const double window = hours * 3600;
      return past.ratio(now - window, now) > burn * allowed && past.ratio(now - window / 12, now) > burn * allowed;
    };
    if (now > trace.injected && (over(1, 14.4) || over(6, 6))) return now - trace.injected;
  }
  return std::nullopt;
}

}  // namespace

References references(const Cell& cell, const Trace& trace, double scrape_phase) {
  References first;
  const auto says = [&](std::size_t which, double t) {
    if (!first[which]) first[which] = t;
  };
  first[0] = google(cell, trace, scrape_phase);
  const double m = 14.4 * (1 - cell.objective), cap = cell.budget * (1 - cell.objective) * cell.rate * 720 * 3600;
  const double enough = std::log(1000.0);
  guard::RequestTest requests(m);
  guard::SliceTest slices(m, std::chrono::seconds(1));  // all of the stake on a start at the injection
  double total = 0, bad = 0;
  for (auto i = static_cast<std::size_t>(trace.injected / trace.step); i < trace.total.size(); ++i) {
    const double t = static_cast<double>(i + 1) * trace.step - trace.injected;
    total += trace.total[i];
    bad += trace.bad[i];
    if (bad >= cap) says(1, t);
    requests.add(trace.total[i], trace.bad[i]);
    if (requests.log_e() >= enough) says(2, t);
    slices.add(trace.total[i], trace.bad[i], std::chrono::seconds(1));
    if (slices.log_e() >= enough) says(3, t);
    const double deviation = std::sqrt(m * (1 - m) / std::max(total, 1.0));
    if (total > 0 && bad / total > m + 3.09 * deviation) says(4, t);  // one-sided 0.001 at this look
  }
  return first;
}

}  // namespace arashi::sim
