#include "experiments/plan/cost.hpp"

#include <cmath>

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

}  // namespace

std::vector<Cost> worst_case(const spec::Experiment& experiment) {
  std::vector<Cost> costs;
  const Duration faulty = spec::timeline_length(experiment);
  const Duration length = faulty > Duration{0} ? faulty + experiment.recovery_within : Duration{0};
  for (const spec::Slo& slo : experiment.slos) {
    const double stop_at = experiment.guard.budget.fraction;
    const double until = stop_at * (1 - slo.objective) * static_cast<double>(slo.window.count());
    costs.push_back(
        {.slo = slo.name, .budget_share = share_of(slo, length), .stop_at = stop_at, .until_stop = Duration{std::llround(until)}});
  }
  return costs;
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
