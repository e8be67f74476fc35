#include "experiments/backtest/study.hpp"

#include <algorithm>
#include <cmath>
#include <random>

namespace arashi::backtest {
namespace {

Duration lead(const Record& record, const Shape& shape) {
  Duration longest = shape.steady;
  for (const Series& each : record.series) longest = std::max(longest, each.step * 2);
  return longest;
}

// log of the binomial coefficient
double log_choose(double n, double k) { return std::lgamma(n + 1) - std::lgamma(k + 1) - std::lgamma(n - k + 1); }

// P(X <= k) for X binomial(n, p).
double at_most(std::uint64_t k, std::uint64_t n, double p) {
  const auto all = static_cast<double>(n);
  double sum = 0;
  for (std::uint64_t i = 0; i <= k; ++i) {
    const auto hits = static_cast<double>(i);
    sum += std::exp(log_choose(all, hits) + hits * std::log(p) + (all - hits) * std::log1p(-p));
  }
  return std::min(sum, 1.0);
}

// Where a falling function crosses `level`.
template <class Function>
double crossing(Function function, double level) {
  double low = 0, high = 1;
  for (int i = 0; i < 60; ++i) {
    const double middle = (low + high) / 2;
    (function(middle) > level ? low : high) = middle;
  }
  return (low + high) / 2;
}

double middle_of(std::vector<double> values) {
  if (values.empty()) return 0;
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  return *middle;
}

template <class Pick>
double most_of(const Outcome& outcome, Pick pick) {
  double most = 0;
  for (const SloOutcome& each : outcome.slos) most = std::max(most, each.*pick);
  return most;
}

Duration aborted_at(const Outcome& outcome) { return outcome.start + *outcome.abort; }

Incident incident_of(const std::vector<const Outcome*>& together) {
  Incident incident{.from = aborted_at(*together.front()), .to = aborted_at(*together.back()), .starts = together.size()};
  std::vector<double> spent;
  for (const Outcome* each : together) {
    incident.justified += each->justified() ? 1 : 0;
    spent.push_back(most_of(*each, &SloOutcome::spent));
    incident.would_spend_most = std::max(incident.would_spend_most, most_of(*each, &SloOutcome::would_spend));
  }
  incident.spent_median = middle_of(spent);
  if (!together.front()->why.empty()) incident.reason = together.front()->why.front();
  return incident;
}

std::vector<Incident> incidents_of(const std::vector<Outcome>& outcomes, Duration apart) {
  std::vector<const Outcome*> aborts;
  for (const Outcome& each : outcomes)
    if (each.abort) aborts.push_back(&each);
  std::ranges::sort(aborts, {}, [](const Outcome* each) { return aborted_at(*each); });
  std::vector<Incident> incidents;
  std::vector<const Outcome*> together;
  for (const Outcome* each : aborts) {
    if (!together.empty() && aborted_at(*each) - aborted_at(*together.back()) > apart)
      incidents.push_back(incident_of(std::exchange(together, {})));
    together.push_back(each);
  }
  if (!together.empty()) incidents.push_back(incident_of(together));
  return incidents;
}

void count(Study& study, const Outcome& outcome, std::vector<double>& quiet) {
  if (!outcome.refused.empty()) {
    ++study.refused[outcome.refused];
    return;
  }
  ++study.ran;
  if (!outcome.abort) {
    quiet.push_back(most_of(outcome, &SloOutcome::spent));
    study.missed += outcome.cap_crossed ? 1 : 0;
    return;
  }
  ++study.aborted;
  ++(outcome.justified() ? study.justified : study.false_aborts);
  if (!outcome.why.empty()) ++study.layers[std::string(guard::name_of(outcome.why.front().layer))];
  study.spent_most = std::max(study.spent_most, most_of(outcome, &SloOutcome::spent));
}

}  // namespace

Result<std::vector<Duration>> draw_starts(const Record& record, const Shape& shape, std::size_t count, std::uint64_t seed) {
  const Duration first = record.begin() + lead(record, shape), last = record.end() - shape.length - shape.delay;
  if (last < first)
    return fail(Blame::refused, "the record is too short: it holds ", to_text(std::max(record.end() - record.begin(), Duration{})),
                " of all SLOs, and the experiment needs ", to_text(lead(record, shape) + shape.length + shape.delay),
                " (steady state, timeline and recovery)");
  std::mt19937_64 random(seed);
  const auto places = static_cast<std::uint64_t>((last - first) / std::chrono::milliseconds(1)) + 1;
  std::vector<Duration> starts;
  for (std::size_t i = 0; i < count; ++i) starts.push_back(first + std::chrono::milliseconds(random() % places));
  std::ranges::sort(starts);
  return starts;
}

Interval share_interval(std::uint64_t hits, std::uint64_t of, double level) {
  const double tail = (1 - level) / 2;
  Interval result;
  if (of == 0) return result;
  if (hits > 0) result.low = crossing([&](double p) { return at_most(hits - 1, of, p); }, 1 - tail);
  if (hits < of) result.high = crossing([&](double p) { return at_most(hits, of, p); }, tail);
  return result;
}

Study summarise(const Record& record, const Shape& shape, const std::vector<Outcome>& outcomes) {
  Study study{.starts = outcomes.size()};
  std::vector<double> quiet;
  for (const Outcome& each : outcomes) count(study, each, quiet);
  study.quiet_median = middle_of(quiet);
  study.quiet_most = quiet.empty() ? 0 : *std::ranges::max_element(quiet);
  const Duration one = lead(record, shape) + shape.length;
  study.independent = std::min<std::size_t>(study.ran, static_cast<std::size_t>((record.end() - record.begin()) / one));
  // The same share among fewer; the interval is that of the number rounded away from the middle at either end.
  const double share = study.ran == 0 ? 0 : static_cast<double>(study.false_aborts) / static_cast<double>(study.ran);
  const double hits = share * static_cast<double>(study.independent);
  study.false_share.low = share_interval(static_cast<std::uint64_t>(hits), study.independent).low;
  study.false_share.high = share_interval(static_cast<std::uint64_t>(std::ceil(hits)), study.independent).high;
  study.incidents = incidents_of(outcomes, shape.length);
  return study;
}

}  // namespace arashi::backtest
