#include "experiments/backtest/replay.hpp"

#include "experiments/run/streak.hpp"

#include <algorithm>
#include <cmath>

namespace arashi::backtest {
namespace {

constexpr double peak_over_mean = 3;  // as `arashi run` reckons: a history's mean rate says little about its peaks
constexpr auto look = std::chrono::seconds(1);

using Samples = std::deque<Sample>;

// Beyond doubt by what was recorded: the chance of so many bad events at the threshold is below one in a million (Chernoff's bound). The
// guard itself aborts at one in a thousand, so its false aborts are not called right by this.
bool burns(const guard::SloTerms& slo, double threshold, std::uint64_t total, std::uint64_t bad) {
  constexpr double least = 1e-6;
  const double allowed = threshold * (1 - slo.objective);
  if (total == 0 || bad == 0 || allowed >= 1) return false;
  const double events = static_cast<double>(total), ratio = static_cast<double>(bad) / events;
  if (ratio <= allowed) return false;
  const double good = ratio < 1 ? (1 - ratio) * std::log((1 - ratio) / (1 - allowed)) : 0;
  return -events * (ratio * std::log(ratio / allowed) + good) < std::log(least);
}

// The counts of what lies wholly in a stretch.
bool burns_between(const Series& series, const guard::SloTerms& slo, double threshold, Duration from, Duration to) {
  std::uint64_t total = 0, bad = 0;
  for (auto at = std::ranges::lower_bound(series.samples, from, {}, &Sample::begin); at != series.samples.end() && at->end <= to; ++at) {
    total += at->total;
    bad += at->bad;
  }
  return burns(slo, threshold, total, bad);
}

// What is still to come of one SLO's series: samples as they become known, and the notice that one is overdue.
class Coming {
 public:
  Coming(const Series& series, Duration from, Duration delay)
      : series_(&series), delay_(delay), known_(from), at_(std::ranges::upper_bound(series.samples, from, {}, &Sample::begin)) {
    if (at_ != series.samples.begin() && std::prev(at_)->begin == from) --at_;
  }
  [[nodiscard]] bool overdue() const { return !told_ && silence() < arrival(); }
  [[nodiscard]] Duration next() const { return overdue() ? silence() : arrival(); }

  guard::Slice take(Duration zero) {
    if (overdue()) {
      told_ = true;
      const Duration now = silence() - zero;
      return {.begin = now, .end = now, .state = guard::Freshness::stale, .newest = known_ - zero, .problem = "nothing is recorded"};
    }
    const Sample& sample = *at_++;
    known_ = sample.end;
    told_ = false;
    const auto state = sample.partial ? guard::Freshness::partial : sample.unknown ? guard::Freshness::late_born : guard::Freshness::fresh;
    return {.begin = sample.begin - zero,
            .end = sample.end - zero,
            .total = sample.total,
            .bad = sample.bad,
            .state = state,
            .newest = sample.end - zero,
            .unknown = sample.unknown};
  }

 private:
  [[nodiscard]] Duration arrival() const { return at_ == series_->samples.end() ? Duration::max() : at_->end + delay_; }
  // As for a live source: a newest sample older than two and a half steps says nothing about now.
  [[nodiscard]] Duration silence() const { return known_ + series_->step * 5 / 2 + delay_; }

  const Series* series_;
  Duration delay_, known_;
  bool told_ = false;
  Samples::const_iterator at_;
};

class Replay {
 public:
  Replay(const Record& record, const guard::Config& config, const Shape& shape, guard::Guard guard, Duration start)
      : record_(record), config_(config), shape_(shape), guard_(std::move(guard)), start_(start) {
    Duration steady = shape.steady;
    for (const Series& each : record.series) steady = std::max(steady, each.step * 2);
    zero_ = start - steady;
    for (const Series& each : record.series) coming_.emplace_back(each, zero_, shape.delay);
    for (const auto& slo : config.slos) streaks_.emplace_back(slo.objective);
  }

  // To the planned end also after an abort: what would have been spent had nobody stopped it?
  Outcome go() {
    outcome_.start = start_;
    const Duration end = start_ + shape_.length;
    while (outcome_.refused.empty()) {
      const auto next = std::ranges::min_element(coming_, {}, &Coming::next);
      const Duration now = std::min(next->next(), end);
      if (!injected_ && now > start_) begin();
      inject_until(now);
      if (injected_ && !outcome_.abort) look_until(now);
      if (next->next() > end) break;
      observe(static_cast<std::size_t>(next - coming_.begin()), next->take(zero_));
      if (injected_ && !outcome_.abort) judge(now);
      known_ = now;
    }
    if (injected_) look_back(end);
    if (outcome_.abort) outcome_.burned = burned(start_ + *outcome_.abort, end);
    return std::move(outcome_);
  }

 private:
  void begin() {
    for (std::size_t i = 0; i < streaks_.size(); ++i) {
      if (streaks_[i].total() > 0 && streaks_[i].within()) continue;
      const bool silent = streaks_[i].total() == 0;
      outcome_.refused = config_.slos[i].name + (silent ? ": no data" : ": not within its objective");
      return;
    }
    known_ = start_;
    injected_ = true;
  }

  void inject_until(Duration now) {
    for (; injected_ && next_injection_ < shape_.injections.size() && start_ + shape_.injections[next_injection_] <= now; ++next_injection_)
      guard_.injected(start_ + shape_.injections[next_injection_] - zero_);
    if (injected_ && !reverted_ && start_ + shape_.faults <= now) {
      reverted_ = true;
      guard_.reverted(start_ + shape_.faults - zero_);
    }
  }

  void observe(std::size_t slo, const guard::Slice& slice) {
    if (!injected_) streaks_[slo].extend(slice);
    guard_.observe(slo, slice);
  }

  // A live guard is asked every second; between two inputs it can only grow surer, so the first second is found by halving.
  void look_until(Duration now) {
    if (now <= known_ || !guard_.evaluate(now - zero_).abort) return;
    std::int64_t no = (known_ - start_) / look, yes = (now - start_ + look - Duration(1)) / look;
    while (yes - no > 1) {
      const std::int64_t middle = (no + yes) / 2;
      (guard_.evaluate(start_ + middle * look - zero_).abort ? yes : no) = middle;
    }
    judge(std::min<Duration>(start_ + yes * look, now));
  }

  void judge(Duration now) {
    guard::Verdict verdict = guard_.evaluate(now - zero_);
    outcome_.slos.resize(verdict.slos.size());
    for (std::size_t i = 0; i < verdict.slos.size(); ++i) outcome_.slos[i].spent = verdict.slos[i].budget_spent;
    if (!verdict.abort) return;
    outcome_.abort = now - start_;
    outcome_.why = std::move(verdict.reasons);
  }

  [[nodiscard]] bool burned(Duration abort, Duration end) const {
    for (std::size_t i = 0; i < record_.series.size(); ++i) {
      const Series& series = record_.series[i];
      const Duration recent = std::max<Duration>(std::chrono::seconds(10), series.step * 2);
      for (const auto& [from, to] : {std::pair{abort - recent, abort}, std::pair{start_, abort}, std::pair{start_, end}})
        if (burns_between(series, config_.slos[i], config_.burn, from, to)) return true;
    }
    return false;
  }

  void look_back(Duration end) {
    const guard::Verdict verdict = guard_.evaluate(end - zero_);
    outcome_.slos.resize(verdict.slos.size());
    for (std::size_t i = 0; i < verdict.slos.size(); ++i) {
      const guard::SloState& slo = verdict.slos[i];
      outcome_.slos[i].would_spend = slo.budget_spent;
      if (!outcome_.abort) outcome_.slos[i].spent = slo.budget_spent;
      outcome_.cap_crossed = outcome_.cap_crossed || slo.budget_spent >= slo.budget_limit;
    }
  }

  const Record& record_;
  const guard::Config& config_;
  const Shape& shape_;
  guard::Guard guard_;
  Duration start_, zero_{}, known_{};
  std::vector<Coming> coming_;
  std::vector<run::Streak> streaks_;
  bool injected_ = false, reverted_ = false;
  std::size_t next_injection_ = 0;
  Outcome outcome_;
};

}  // namespace

Result<guard::Config> with_terms(guard::Config config, const Record& record) {
  for (std::size_t i = 0; i < config.slos.size(); ++i) {
    const guard::SloTerms& slo = config.slos[i];
    guard::SourceTerms& terms = config.slos[i].sources.front();
    const Series& series = record.series.at(i);
    const auto events = static_cast<double>(series.total());
    const double covered = seconds(series.covered());
    if (!(events > 0))
      return fail(Blame::refused, "SLO '", slo.name, "': the record has no event at all, so there is no budget to spend from");
    const double mean = events / covered;
    terms.window_events = mean * seconds(slo.window);
    terms.extrapolated = covered < 0.99 * seconds(slo.window);
    terms.rate_most = peak_over_mean * mean;
    terms.patience = std::max<Duration>(terms.patience, series.step * 5 / 2 + std::chrono::seconds(2));
  }
  return config;
}

Result<Outcome> replay(const Record& record, const guard::Config& config, const Shape& shape, Duration start) {
  return Replay(record, config, shape, TRY(guard::Guard::make(config)), start).go();
}

}  // namespace arashi::backtest
