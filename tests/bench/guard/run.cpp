#include "tests/bench/guard/run.hpp"

#include "injector/core/json.hpp"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>

namespace arashi::sim {
namespace {

guard::Guard make(const Cell& cell) {
  auto made = guard::Guard::make(config_of(cell));
  if (!made) {
    std::fputs((words(cell) + ": " + made.error().message + "\n").c_str(), stderr);
    std::abort();
  }
  return std::move(made).value();
}

Duration in_seconds(double value) { return Duration(static_cast<std::int64_t>(value * 1e9)); }

// Feeds a guard, with a look at every second and after everything it is told; `look` says whether to go on.
template <class Observe, class Look>
void replay(const Cell& cell, const Trace& trace, std::vector<Told> told, const Observe& observe, const Look& look) {
  std::stable_sort(told.begin(), told.end(), [](const Told& a, const Told& b) { return a.now < b.now; });
  std::size_t next = 0;
  const double end = before + cell.length + 1;
  for (int step = 1; step * trace.step <= end; ++step) {
    const Duration at = in_seconds(step * trace.step);
    for (; next < told.size() && told[next].now <= at; ++next) observe(told[next]);
    if (!look(at)) return;
  }
}

double bad_until(const Trace& trace, double t) {
  double sum = 0;
  for (std::size_t i = 0; i < trace.bad.size(); ++i) {
    const double begin = static_cast<double>(i) * trace.step;
    if (begin + trace.step <= trace.injected) continue;
    sum += trace.bad[i] * std::clamp((t - begin) / trace.step, 0.0, 1.0);
  }
  return sum;
}

}  // namespace

Outcome run(const Cell& cell, std::uint64_t seed, bool with_others) {
  std::mt19937_64 random(seed);
  const Trace trace = draw(cell, random);
  guard::Guard guard = make(cell);
  Outcome outcome;
  bool begun = false;
  guard::Verdict last;
  const auto told = tell(cell, trace, random);
  const auto begin_when_due = [&](Duration now) {
    if (begun || now < in_seconds(trace.injected)) return;
    guard.injected(in_seconds(trace.injected));
    begun = true;
  };
  replay(
      cell, trace, told,
      [&](const Told& one) {
        begin_when_due(one.now);
        guard.observe(0, one.slice);
      },
      [&](Duration now) {
        begin_when_due(now);
        last = guard.evaluate(now);
        if (!begun || !last.abort) return true;
        outcome.abort = seconds(now) - trace.injected;
        outcome.layer = last.reasons.front().layer;
        return false;
      });
  const double budget = (1 - cell.objective) * cell.rate * 720 * 3600;
  const double whole = static_cast<double>(trace.total.size()) * trace.step;
  outcome.would_cross = bad_until(trace, whole) >= cell.budget * budget;
  outcome.spent = bad_until(trace, outcome.abort ? trace.injected + *outcome.abort + actual_rollback : whole) / budget;
  // What can come between two looks, and chance may bring more of it than the rate.
  const double between = 2 * cell.rate + 3 * std::sqrt(2 * cell.rate) + 1;
  outcome.crossed = outcome.spent > cell.budget + between / budget;
  outcome.held = !outcome.abort && !last.slos.empty() && last.slos[0].log_held >= last.slos[0].log_held_threshold;
  if (with_others) outcome.others = references(cell, trace, 15 * std::uniform_real_distribution<double>(0, 1)(random));
  return outcome;
}

Row measure(const Cell& cell, std::uint64_t seed) {
  Row row{.cell = cell};
  const auto made = guard::Guard::make(config_of(cell));
  if (!made) {
    row.refused = made.error().message;
    return row;
  }
  const int with_others = std::min(cell.runs, 200);
  for (; row.runs < cell.runs; ++row.runs) {
    const Outcome one = run(cell, seed * 1'000'003 + static_cast<std::uint64_t>(row.runs), row.runs < with_others);
    row.held += one.held ? 1 : 0;
    row.crossed += one.crossed ? 1 : 0;
    row.missed += one.would_cross && !one.abort ? 1 : 0;
    row.spent.push_back(one.spent);
    for (std::size_t i = 0; i < one.others.size(); ++i)
      if (one.others[i]) row.others[i].push_back(*one.others[i]);
    if (!one.abort) continue;
    ++row.aborted;
    ++row.layers[static_cast<std::size_t>(one.layer)];
    row.delays.push_back(*one.abort);
  }
  std::sort(row.delays.begin(), row.delays.end());
  std::sort(row.spent.begin(), row.spent.end());
  for (auto& delays : row.others) std::sort(delays.begin(), delays.end());
  return row;
}

double quantile(const std::vector<double>& sorted, double q) {
  if (sorted.empty()) return std::nan("");
  return sorted[std::min(sorted.size() - 1, static_cast<std::size_t>(static_cast<double>(sorted.size()) * q))];
}

double upper_bound(int hits, int runs) {
  if (runs == 0) return 1;
  const auto at_most = [&](double p) {  // P(X <= hits) of Binomial(runs, p)
    double sum = 0;
    for (int k = 0; k <= hits; ++k)
      sum +=
          std::exp(std::lgamma(runs + 1) - std::lgamma(k + 1) - std::lgamma(runs - k + 1) + k * std::log(p) + (runs - k) * std::log1p(-p));
    return sum;
  };
  double low = 0, high = 1;
  for (int i = 0; i < 60; ++i) {
    const double middle = (low + high) / 2;
    (at_most(middle) > 0.01 ? low : high) = middle;
  }
  return high;
}

std::string recorded(const Cell& cell, std::uint64_t seed) {
  std::mt19937_64 random(seed);
  const Trace trace = draw(cell, random);
  guard::Guard guard = make(cell);
  bool begun = false;
  std::string lines = to_text(Json{{"config", guard::to_json(config_of(cell))}}) + "\n";
  const auto note = [&](const guard::Input& input) { lines += to_text(guard::to_json(input)) + "\n"; };
  replay(
      cell, trace, tell(cell, trace, random),
      [&](const Told& one) {
        guard.observe(0, one.slice);
        note({.now = one.now, .slo = 0, .slice = one.slice});
      },
      [&](Duration now) {
        if (!begun && now >= in_seconds(trace.injected)) {
          begun = true;
          guard.injected(in_seconds(trace.injected));
          note({.now = in_seconds(trace.injected), .injected = true});
        }
        const auto state = guard.evaluate(now).slos[0];
        lines += to_text(Json{{"now", now.count()}, {"logE", state.log_e}, {"bad", state.bad}}) + "\n";
        return true;
      });
  return lines;
}

}  // namespace arashi::sim
