#include "experiments/plan/cost.hpp"

#include <algorithm>
#include <cmath>
#include <optional>

namespace arashi::plan {
namespace {

constexpr Duration minutes_old = std::chrono::minutes(1);  // from here on data are for a record, not for a reaction

// The share of its budget that a total outage of this length spends.
double share_of(const spec::Slo& slo, Duration outage) { return seconds(outage) / seconds(slo.window) / (1 - slo.objective); }

std::string rounded(double share) { return to_text(Percent{std::round(share * 1e4) / 1e4}); }

// What comes too late cannot be the cap's measure. What is only evidence may be as late as it likes.
void check_lag(const spec::Experiment& experiment, const spec::Slo& slo, const spec::Measure& measure, Plan& plan) {
  const Duration lag = spec::usual_lag(measure.source);
  const double spent = share_of(slo, lag);
  const bool too_late = spent > experiment.guard.budget.fraction;
  if (!too_late && lag < minutes_old) return;
  const std::string source(spec::name_of(measure.source));
  std::string text = "SLO '" + slo.name + "': " + (slo.measures.size() > 1 ? source + "'s" : "its") + " data may be " + to_text(lag) +
                     " old, in which a total outage spends " + rounded(spent) + " of the budget, " + (too_late ? "more" : "not more") +
                     " than guard.budget (" + to_text(experiment.guard.budget) + ")";
  if (too_late) text += ": the guard will stop early, charging what it cannot see";
  if (slo.measures.size() > 1)
    text += "; let faster sources be the authoritative ones, and write authoritative: false here";
  else if (lag < minutes_old)
    text += "; scrape more often, or measure it with a load";
  else
    text += "; " + source +
            " is fit to decide whether to start, and for the record, but not to stop in time: measure it with a load, metrics or "
            "accessLog as well";
  plan.warnings.push_back(std::move(text));
}

struct Weight {  // of the time under faults beside the mean of the whole run
  double mean = 1, most = 1;
};

Weight weight_of(const spec::Load& load, const spec::Experiment& experiment) {
  const Duration run = spec::run_length(experiment), faulty = run - experiment.steady_for;
  const double usual = spec::mean_rate(load, run).per_second;
  const bool steady = load.arrivals.stages.empty() && load.arrivals.record.empty();
  if (steady || faulty <= Duration{} || !(usual > 0)) return {};
  const double requests = spec::expected_requests(load, run) - spec::expected_requests(load, experiment.steady_for);
  return {.mean = requests / seconds(faulty) / usual, .most = spec::most_in_a_second(load, run) / usual};
}

// The worst of those that its budget goes by.
Weight weight_of(const spec::Slo& slo, const spec::Experiment& experiment) {
  std::optional<Weight> worst;
  for (const spec::Measure& measure : slo.measures) {
    if (!measure.authoritative) continue;
    const spec::Load* load = spec::load_of(experiment, measure);
    const Weight weight = load == nullptr ? Weight{} : weight_of(*load, experiment);
    worst = worst ? Weight{.mean = std::max(worst->mean, weight.mean), .most = std::max(worst->most, weight.most)} : weight;
  }
  return worst.value_or(Weight{});
}

}  // namespace

std::vector<Cost> worst_case(const spec::Experiment& experiment) {
  std::vector<Cost> costs;
  const Duration faulty = spec::timeline_length(experiment);
  const Duration length = faulty > Duration{0} ? faulty + experiment.recovery_within : Duration{0};
  for (const spec::Slo& slo : experiment.slos) {
    const double stop_at = experiment.guard.budget.fraction;
    const Weight weight = weight_of(slo, experiment);
    const double until = stop_at * (1 - slo.objective) * static_cast<double>(slo.window.count()) / weight.most;
    costs.push_back({.slo = slo.name,
                     .budget_share = share_of(slo, length) * weight.mean,
                     .stop_at = stop_at,
                     .until_stop = Duration{std::llround(until)}});
  }
  return costs;
}

void check_loads(const spec::Experiment& experiment, Plan& plan) {
  for (const spec::Load& load : experiment.loads)
    if (load.tls.insecure)
      plan.warnings.push_back("load '" + load.name +
                              "' does not verify the server (tls.insecure): its measurements may be of another server");
}

namespace {

// A load's budget is its own: nobody has spent of it before.
bool past_slices_unknown(const spec::Measure& measure) {
  return measure.authoritative && measure.load.empty() && !std::holds_alternative<spec::PrometheusSource>(measure.source) &&
         !std::holds_alternative<spec::AccessLogSource>(measure.source);
}

}  // namespace

void check_past(const spec::Experiment& experiment, Plan& plan) {
  if (experiment.timeline.empty()) return;
  for (const spec::Slo& slo : experiment.slos) {
    if (slo.method == spec::Method::occurrences) continue;
    const auto unknown = std::ranges::find_if(slo.measures, past_slices_unknown);
    if (unknown == slo.measures.end()) continue;
    const std::string source(spec::name_of(unknown->source));
    const bool hosted =
        !std::holds_alternative<spec::MetricsSource>(unknown->source) && !std::holds_alternative<spec::CommandSource>(unknown->source);
    plan.warnings.push_back("SLO '" + slo.name + "': " +
                            (hosted ? "bad time slices of the past are known only as far back as " + source + " counts in stretches of " +
                                          to_text(slo.slice) + "; what it keeps in longer ones"
                                    : source + " cannot be asked how many time slices of the past were bad; that") +
                            " counts as if nothing had been spent");
  }
}

void check_lag(const spec::Experiment& experiment, Plan& plan) {
  if (experiment.timeline.empty()) return;
  if (experiment.slos.empty())
    plan.warnings.emplace_back("no SLO watches this experiment: only failing checks, limits.duration and you can stop it");
  for (const spec::Slo& slo : experiment.slos)
    for (const spec::Measure& measure : slo.measures)
      if (measure.authoritative) check_lag(experiment, slo, measure, plan);
}

}  // namespace arashi::plan
