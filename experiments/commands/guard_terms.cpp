#include "experiments/commands/guard_terms.hpp"

#include "experiments/sli/open.hpp"
#include "experiments/sli/prometheus_range.hpp"

#include <algorithm>

namespace arashi::commands {

namespace {

// A history's mean rate says little about its peaks: unknown time is charged at so many times the mean.
constexpr double peak_over_mean = 3;

// What the spec says of its rate is not measured again.
void take_rate(const spec::Slo& slo, const spec::Measure& measure, guard::SourceTerms& terms) {
  terms.window_events = measure.rate.per_second * seconds(slo.window);
  terms.rate_most = peak_over_mean * measure.rate.per_second;
}

// Bad time slices of the past are spent too. Of Prometheus they are counted as the run will count them; no other source can be asked for
// counts that fine, so of these the past is not known.
Result<void> measure_slices(const guard::SloTerms& slo, const spec::Measure& measure, const std::string& directory,
                            guard::SourceTerms& terms) {
  const auto* server = std::get_if<spec::PrometheusSource>(&measure.source);
  if (server == nullptr) {
    terms.extrapolated = true;
    return {};
  }
  const Duration now = std::chrono::system_clock::now().time_since_epoch();
  guard::PastSlices past(slo, terms);
  TRY(sli::prometheus_range(*server, directory, {.from = now - slo.window, .to = now, .step = std::max(slo.slice, server->scrape)},
                            [&](const std::vector<guard::Slice>& slices, Duration /*until*/) {
                              for (const auto& slice : slices) past.add(slice);
                              return true;
                            }));
  terms.window_bad = past.bad();
  return {};
}

Result<void> measure_past(const spec::Slo& slo, const spec::Measure& measure, const std::string& directory, guard::SourceTerms& terms) {
  auto history = sli::history(measure, slo.window, directory);
  if (!history) return because(history.error(), "SLO '", slo.name, "'", slo.measures.size() > 1 ? " by " + terms.name : "");
  if (history->events <= 0 || history->covered <= Duration{})
    return fail(Blame::refused, "SLO '", slo.name, "': ", terms.name, " shows no event at all in the last ", to_text(slo.window),
                ", so there is no budget to spend from; check what its 'total' asks for");
  const double covered = std::min(1.0, seconds(history->covered) / seconds(slo.window));
  terms.window_events = history->events / covered;
  if (slo.method == spec::Method::occurrences) terms.window_bad = history->bad;
  terms.extrapolated = covered < 0.99;
  terms.rate_most = peak_over_mean * history->events / seconds(history->covered);
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
          .count_lost = lost_of(slo.count_lost)};
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
  source.patience = spec::usual_lag(measure.source) * 5 / 2 + std::chrono::seconds(2);
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
    if (!slo.measures[i].load.empty() || slo.measures[i].rate.per_second > 0) continue;
    const auto measured = measure_slices(terms, slo.measures[i], directory, terms.sources[i]);
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
      if (slo.measures[j].load.empty() && slo.measures[j].rate.per_second <= 0)
        TRY(measure_past(slo, slo.measures[j], experiment.directory, config.slos[i].sources[j]));
    TRY(measure_past_slices(slo, experiment.directory, config.slos[i]));
  }
  return config;
}

}  // namespace arashi::commands
