#include "experiments/guard/guard.hpp"

#include "experiments/guard/slo_watch.hpp"
#include "experiments/guard/words.hpp"

#include <algorithm>
#include <cmath>

namespace arashi::guard {
namespace {

bool positive(double value) { return std::isfinite(value) && value > 0; }
bool inside_unit(double value) { return value > 0 && value < 1; }  // false for NaN

std::string source_of(const SloTerms& slo, const SourceTerms& source) {
  return "SLO '" + slo.name + "'" + (slo.sources.size() > 1 ? " by " + source.name : "");
}

// What of the budget is left for this experiment, in units of the SLO's method.
Result<double> check_left(const SloTerms& slo, const SourceTerms& source, const Config& config) {
  const double share = allowance(slo, source, config);
  if (share > 1e-9) return share * budget_units(slo, source);
  const double spent = source.window_bad / budget_units(slo, source);
  std::string text = source_of(slo, source) + ": no error budget is left for this experiment: " + percent_text(spent) + " is used of " +
                     (slo.period.empty() ? "the last " + period_text(slo.window) : slo.period);
  if (config.reserve > 0) text += ", " + percent_text(config.reserve) + " must stay (guard.reserve)";
  if (slo.promised > 0) text += ", " + percent_text(slo.promised) + " is reserved for other running experiments";
  if (slo.bearable <= 1e-9) text += ", and one of their SLOs over the same counts has no budget left";
  return fail(Blame::refused, text,
              slo.period.empty() ? "; wait until the window has moved on" : "; the next one begins at " + slo.next_period);
}

// What to do about an allowance that is too small.
std::string remedy(const SloTerms& slo, const SourceTerms& source, const Config& config, const std::string& else_do) {
  if (allowance(slo, source, config) >= config.budget) return else_do;
  if (slo.promised > 0 || slo.bearable < config.budget) return "; the rest is used, or reserved for other running experiments";
  return "; the rest is used, or kept by guard.reserve";
}

Result<void> check_room(const SloTerms& slo, const SourceTerms& source, const Config& config, double left) {
  const double reserve = most_unseen(slo, source, config.rollback);
  if (slo.method == Method::occurrences && !(reserve < left))
    return fail(Blame::refused, source_of(slo, source), ": a revert may take ", period_text(config.rollback), ", in which up to ",
                number_text(reserve), " events can fail, but the limit of the experiment is ", number_text(left), "; raise guard.budget");
  // Few events a second: what the highest rate tells of so short a time is less than what comes by chance. A cap that this alone fills
  // would be reached at once, or be crossed by what nobody has seen yet. Where the rate itself fills it, the plan says so and the guard
  // stops early.
  const Duration blind = std::min(source.lag, config.length) + config.rollback;
  const double unseen = most_unseen(slo, source, blind);
  if (slo.method == Method::occurrences && unseen >= left && source.rate_most * seconds(blind) < left)
    return fail(Blame::refused, source_of(slo, source), ": its data may be ", to_text(source.lag), " old, and a revert may take ",
                to_text(config.rollback), ": in that time ", number_text(unseen),
                " events may come by chance, but the limit of the experiment is ", number_text(left), " bad ones",
                remedy(slo, source, config,
                       "; raise guard.budget to more than " + percent_text(unseen / budget_units(slo, source)) +
                           ", measure it by a quicker source, or add a load of your own"));
  const double blip = source.rate_most * seconds(config.grace);
  if (slo.method == Method::occurrences && !(blip + reserve < left))
    return fail(Blame::refused, source_of(slo, source), ": an outage of guard.grace (", seconds(config.grace), " s) alone may use ",
                number_text(blip), " bad events, but the limit of the experiment is ", number_text(left),
                "; raise guard.budget or lower guard.grace");
  return {};
}

Result<void> check_source(const SloTerms& slo, const SourceTerms& source, const Config& config) {
  if (!positive(source.window_events) || !positive(source.rate_most))
    return fail(Blame::refused, source_of(slo, source), ": no events were seen from which its budget could be computed");
  if (!(source.window_bad >= 0))
    return fail(Blame::input, source_of(slo, source), ": ", source.window_bad, " bad events in the window: must not be negative");
  const double left = TRY(check_left(slo, source, config));
  if (!(left >= 1) && slo.method == Method::occurrences)
    return fail(Blame::refused, source_of(slo, source), ": ", percent_text(left / budget_units(slo, source)), " of its budget is ",
                number_text(left), " bad events, not even one",
                remedy(slo, source, config, "; raise the budget, or the traffic with a load of your own"));
  if (!(left >= 1) && slo.method == Method::timeslices)
    return fail(Blame::refused, source_of(slo, source), ": ", percent_text(left / budget_units(slo, source)), " of its budget is ",
                number_text(left), " time slices of ", period_text(slo.slice), ", not even one",
                remedy(slo, source, config, "; raise guard.budget to at least " + percent_text(1 / budget_units(slo, source))));
  return check_room(slo, source, config, left);
}

Result<void> check_slices(const SloTerms& slo) {
  if (slo.method == Method::occurrences) return {};
  if (slo.slice <= Duration::zero() || slo.slice > slo.window)
    return fail(Blame::input, "SLO '", slo.name, "': a time slice must be > 0 and no longer than the window");
  if (slo.method == Method::timeslices && !(slo.slice_target > 0 && slo.slice_target <= 1))
    return fail(Blame::input, "SLO '", slo.name, "': a time slice's target must be > 0% and at most 100%");
  return {};
}

Result<void> check_slo(const SloTerms& slo, const Config& config) {
  if (!inside_unit(slo.objective))
    return fail(Blame::input, "SLO '", slo.name, "': an objective of ", percent_text(slo.objective), " must lie between 0% and 100%");
  if (slo.window <= Duration::zero()) return fail(Blame::input, "SLO '", slo.name, "': the window must be > 0");
  TRY(check_slices(slo));
  if (std::none_of(slo.sources.begin(), slo.sources.end(), [](const auto& source) { return source.authoritative; }))
    return fail(Blame::input, "SLO '", slo.name, "': no authoritative source measures it");
  const double allowed = 1 - slo.objective;
  if (!(config.burn * allowed < 1))
    return fail(Blame::input, "SLO '", slo.name, "': a burn rate of ", config.burn, " can never be exceeded, for a total outage burns at ",
                1 / allowed, "; raise the objective or lower the burn threshold");
  for (const SourceTerms& source : slo.sources) TRY(check_source(slo, source, config));
  return {};
}

Result<void> check(const Config& config) {
  if (!(config.budget > 0 && config.budget <= 1)) return fail(Blame::input, "guard budget must be > 0% and at most 100%");
  if (!(config.reserve >= 0 && config.reserve < 1)) return fail(Blame::input, "guard reserve must be at least 0% and under 100%");
  if (config.grace < Duration::zero()) return fail(Blame::input, "guard grace cannot be negative");
  if (!inside_unit(config.alpha)) return fail(Blame::input, "guard alpha must lie between 0 and 1");
  if (!positive(config.burn)) return fail(Blame::input, "guard burn threshold must be over 0");
  if (config.length <= Duration::zero()) return fail(Blame::input, "the experiment's planned length must be > 0");
  if (config.rollback < Duration::zero()) return fail(Blame::input, "the time for a rollback cannot be negative");
  if (config.on_no_data == OnNoData::hold && config.hold <= Duration::zero())
    return fail(Blame::input, "onNoData: hold needs a time, such as hold: 10s");
  for (const SloTerms& slo : config.slos) TRY(check_slo(slo, config));
  return {};
}

double strength(const Reason& reason) { return reason.threshold > 0 ? reason.value / reason.threshold : reason.value; }

void strongest_first(std::vector<Reason>& reasons) {
  std::stable_sort(reasons.begin(), reasons.end(), [](const Reason& a, const Reason& b) { return strength(a) > strength(b); });
}

}  // namespace

struct Guard::State {
  Config config;
  std::vector<SloWatch> slos;
};

Guard::Guard(std::unique_ptr<State> state) : state_(std::move(state)) {}
Guard::Guard(Guard&&) noexcept = default;
Guard& Guard::operator=(Guard&&) noexcept = default;
Guard::~Guard() = default;

Result<Guard> Guard::make(Config config) {
  TRY(check(config));
  auto state = std::make_unique<State>();
  for (const SloTerms& slo : config.slos) state->slos.emplace_back(slo, config);
  state->config = std::move(config);
  return Guard(std::move(state));
}

void Guard::injected(Duration at) {
  for (SloWatch& slo : state_->slos) slo.injected(at);
}

void Guard::reverted(Duration at) {
  for (SloWatch& slo : state_->slos) slo.reverted(at);
}

void Guard::observe(std::size_t slo, const Slice& slice, std::size_t source) {
  if (slo < state_->slos.size()) state_->slos[slo].observe(slice, source);
}

Verdict Guard::evaluate(Duration now) const {
  Verdict verdict{.at = now};
  std::vector<Reason> holds;
  for (const SloWatch& slo : state_->slos) {
    verdict.slos.push_back(slo.state(now));
    slo.judge(now, verdict.reasons, holds);
  }
  verdict.abort = !verdict.reasons.empty();
  verdict.hold = !holds.empty();
  strongest_first(verdict.reasons);
  verdict.reasons.insert(verdict.reasons.end(), holds.begin(), holds.end());
  return verdict;
}

}  // namespace arashi::guard
