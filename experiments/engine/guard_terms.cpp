#include "experiments/engine/guard_terms.hpp"

#include "experiments/sli/logs/access_log.hpp"
#include "experiments/sli/open.hpp"
#include "experiments/sli/prometheus/prometheus_range.hpp"

#include <algorithm>

namespace arashi::engine {

namespace {

// A history's mean rate says little about its peaks: unknown time is charged at so many times the mean.
constexpr double peak_over_mean = 3;

constexpr double nearly_all = 0.99;

// What the spec says of its rate is not measured again; what is spent is.
void take_rate(const spec::Slo& slo, const spec::Measure& measure, guard::SourceTerms& terms) {
  terms.window_events = measure.rate.per_second * seconds(slo.window);
  terms.rate_most = peak_over_mean * measure.rate.per_second;
}

// Bad time slices of the past are spent too, counted as the run will count them: of Prometheus and of a log all, of a hosted service those
// it keeps as fine as that; of other sources none are known.
Result<void> measure_slices(const spec::Slo& slo, const guard::SloTerms& terms_of_slo, const spec::Measure& measure,
                            const std::string& directory, guard::SourceTerms& terms) {
  const Duration now = std::chrono::system_clock::now().time_since_epoch();
  const Duration from = slo.period ? Duration(std::chrono::seconds(slo.period->begin)) : now - slo.window;
  guard::PastSlices past(terms_of_slo, terms);
  const auto take = [&](const std::vector<guard::Slice>& slices, Duration /*until*/) {
    for (const auto& slice : slices) past.add(slice);
    return true;
  };
  if (const auto* server = std::get_if<spec::PrometheusSource>(&measure.source)) {
    TRY(sli::prometheus_range(*server, directory, {.from = from, .to = now, .step = std::max(slo.slice, server->scrape)}, take));
  } else if (const auto* log = std::get_if<spec::AccessLogSource>(&measure.source)) {
    take(TRY(sli::access_log_past(*log, measure.latency, directory, now - from, slo.slice)), now);
  } else {
    const auto slices = TRY(sli::remembered_slices(measure, now - from, slo.slice, directory));
    take(slices, now);
    const Duration known = slices.empty() ? Duration{} : slices.back().end - slices.front().begin;
    terms.extrapolated = terms.extrapolated || seconds(known) < nearly_all * seconds(now - from);
  }
  terms.window_bad = past.bad();
  return {};
}

// At least one event, in the last `window`.
Result<sli::History> events_of(const spec::Slo& slo, const spec::Measure& measure, const std::string& name, const std::string& directory,
                               Duration window) {
  auto history = sli::history(measure, window, directory);
  if (!history) return because(history.error(), "SLO '", slo.name, "'", slo.measures.size() > 1 ? " by " + name : "");
  if (history->events > 0 && history->covered > Duration{}) return history;
  return fail(Blame::refused, "SLO '", slo.name, "': ", name, " shows no event at all in the last ", to_text(window),
              ", so there is no budget to spend from; check what its 'total' asks for");
}

Result<void> measure_rolling(const spec::Slo& slo, const spec::Measure& measure, const std::string& directory, guard::SourceTerms& terms) {
  const auto history = TRY(events_of(slo, measure, terms.name, directory, slo.window));
  const double covered = std::min(1.0, seconds(history.covered) / seconds(slo.window));
  terms.window_events = history.events / covered;
  if (slo.method == spec::Method::occurrences) terms.window_bad = history.bad;
  terms.extrapolated = covered < nearly_all;
  terms.rate_most = peak_over_mean * history.events / seconds(history.covered);
  return {};
}

Duration length_of(const spec::Period& period) { return std::chrono::seconds(period.end - period.begin); }

// What came since the window began, of what is remembered of that time and the one before. Nothing counted yet is none.
Result<sli::History> since_begin(const spec::Measure& measure, const std::string& directory, Duration since, const sli::History& all) {
  if (all.covered <= since) return all;  // it remembers nothing older
  auto history = sli::history(measure, since, directory);
  if (!history && history.error().blame == Blame::missing) return sli::History{};
  return history;
}

// How many events a window of the calendar will have nobody knows before its end: as many as the one before had in its time, where that
// is remembered as a whole; else as dense as what is remembered. So it is extrapolated either way. What is spent since it began is known.
Result<void> measure_period(const spec::Slo& slo, const spec::Measure& measure, const std::string& directory, guard::SourceTerms& terms) {
  const auto now = std::chrono::ceil<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch());
  const Duration since = std::max<Duration>(now - std::chrono::seconds(slo.period->begin), std::chrono::seconds(1));
  const auto before = spec::period_of(*slo.calendar, slo.period->begin - 1);
  const Duration earlier = before ? length_of(*before) : length_of(*slo.period);
  const auto all = TRY(events_of(slo, measure, terms.name, directory, since + earlier));
  auto spent = since_begin(measure, directory, since, all);
  if (!spent) return because(spent.error(), "SLO '", slo.name, "'", slo.measures.size() > 1 ? " by " + terms.name : "");
  const double of_this = seconds(slo.window) / seconds(length_of(*slo.period));
  const bool whole = seconds(all.covered) >= seconds(since) + nearly_all * seconds(earlier) && all.events > spent->events;
  const double per_second = whole ? (all.events - spent->events) / seconds(earlier) : all.events / seconds(all.covered);
  terms.window_events = std::max(per_second * seconds(slo.window), spent->events * of_this);
  if (slo.method == spec::Method::occurrences) terms.window_bad = spent->bad;
  terms.extrapolated = true;
  terms.rate_most = peak_over_mean * all.events / seconds(all.covered);
  return {};
}

Result<void> measure_past(const spec::Slo& slo, const spec::Measure& measure, const std::string& directory, guard::SourceTerms& terms) {
  return slo.period ? measure_period(slo, measure, directory, terms) : measure_rolling(slo, measure, directory, terms);
}

// The SLO's rate is given: how many events its window has is not asked. What of them were bad is, of a source that remembers it.
Result<void> measure_spent(const spec::Slo& slo, const spec::Measure& measure, const std::string& directory, guard::SourceTerms& terms) {
  if (slo.method != spec::Method::occurrences) return {};  // measure_slices does
  Duration window = slo.window;
  if (slo.period) {
    const auto now = std::chrono::ceil<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch());
    window = std::max<Duration>(now - std::chrono::seconds(slo.period->begin), std::chrono::seconds(1));
  }
  const auto past = sli::remembered(measure, window, directory);
  if (!past)
    return because(past.error(), "SLO '", slo.name, "'", slo.measures.size() > 1 ? " by " + terms.name : "",
                   ": its 'rate' is given, but what is spent of its budget is asked all the same");
  if (*past) terms.window_bad = (*past)->bad;
  return {};
}

guard::OnNoData policy_of(spec::OnNoData policy) {
  if (policy == spec::OnNoData::abort) return guard::OnNoData::abort;
  return policy == spec::OnNoData::hold ? guard::OnNoData::hold : guard::OnNoData::charge;
}

guard::Method method_of(spec::Method method) {
  if (method == spec::Method::timeslices) return guard::Method::timeslices;
  return method == spec::Method::ratio_timeslices ? guard::Method::ratio_timeslices : guard::Method::occurrences;
}

guard::EmptySlice empty_of(spec::EmptySlice empty) {
  if (empty == spec::EmptySlice::bad) return guard::EmptySlice::bad;
  return empty == spec::EmptySlice::skip ? guard::EmptySlice::skip : guard::EmptySlice::good;
}

guard::CountLost lost_of(spec::CountLost count) {
  if (count == spec::CountLost::before) return guard::CountLost::before;
  return count == spec::CountLost::control ? guard::CountLost::control : guard::CountLost::no;
}

// All but what measures it.
guard::SloTerms terms_of(const spec::Slo& slo) {
  return {.name = slo.name,
          .objective = slo.objective,
          .window = slo.window,
          .method = method_of(slo.method),
          .slice = slo.slice,
          .slice_target = slo.slice_target,
          .empty = empty_of(slo.empty),
          .count_lost = lost_of(slo.count_lost),
          .period = slo.period ? slo.period->words : "",
          .next_period = slo.period ? slo.period->next : ""};
}

guard::SourceTerms source_of(const spec::Experiment& experiment, const spec::Slo& slo, const spec::Measure& measure) {
  guard::SourceTerms source{.authoritative = measure.authoritative};
  if (!measure.load.empty()) {
    const spec::Load* load = spec::load_of(experiment, measure);
    if (load == nullptr) return source;
    const Duration run = spec::run_length(experiment);
    source.rate_most = spec::most_in_a_second(*load, run);
    source.window_events = spec::mean_rate(*load, run).per_second * seconds(slo.window);
    source.patience = load->timeout + std::chrono::seconds(3);  // a second closes when its last request is decided
    return source;
  }
  source.by_chance = true;
  source.lag = spec::usual_lag(measure.source);
  source.patience = source.lag * 5 / 2 + std::chrono::seconds(2);
  if (measure.rate.per_second > 0) take_rate(slo, measure, source);
  return source;
}

}  // namespace

guard::Config unmeasured_config(const spec::Experiment& experiment) {
  guard::Config config;
  for (const auto& slo : experiment.slos) {
    guard::SloTerms terms = terms_of(slo);
    const auto names = spec::names_of_measures(slo);
    for (std::size_t i = 0; i < slo.measures.size(); ++i) {
      terms.sources.push_back(source_of(experiment, slo, slo.measures[i]));
      terms.sources.back().name = names[i];
    }
    config.slos.push_back(std::move(terms));
  }
  config.budget = experiment.guard.budget.fraction;
  config.reserve = experiment.guard.reserve.fraction;
  config.grace = experiment.guard.grace;
  config.on_no_data = policy_of(experiment.guard.on_no_data);
  config.hold = experiment.guard.hold;
  config.length = std::max<Duration>(spec::timeline_length(experiment) + experiment.recovery_within, std::chrono::seconds(1));
  return config;
}

namespace {

Result<void> measure_past_slices(const spec::Slo& slo, const std::string& directory, guard::SloTerms& terms) {
  if (slo.method == spec::Method::occurrences) return {};
  for (std::size_t i = 0; i < slo.measures.size(); ++i) {
    if (!slo.measures[i].load.empty()) continue;
    const auto measured = measure_slices(slo, terms, slo.measures[i], directory, terms.sources[i]);
    if (!measured) return because(measured.error(), "SLO '", slo.name, "': bad time slices of the past");
  }
  return {};
}

}  // namespace

Result<guard::Config> guard_config(const spec::Experiment& experiment) {
  guard::Config config = unmeasured_config(experiment);
  for (std::size_t i = 0; i < config.slos.size(); ++i) {
    const spec::Slo& slo = experiment.slos[i];
    for (std::size_t j = 0; j < slo.measures.size(); ++j)
      if (slo.measures[j].load.empty())
        TRY((slo.measures[j].rate.per_second > 0 ? measure_spent : measure_past)(slo, slo.measures[j], experiment.directory,
                                                                                 config.slos[i].sources[j]));
    TRY(measure_past_slices(slo, experiment.directory, config.slos[i]));
  }
  return config;
}

}  // namespace arashi::engine
