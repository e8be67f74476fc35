#include "experiments/guard/guard.hpp"

#include "experiments/guard/slo_watch.hpp"

#include <algorithm>
#include <cmath>

namespace arashi::guard {
namespace {

bool positive(double value) { return std::isfinite(value) && value > 0; }
bool inside_unit(double value) { return value > 0 && value < 1; }  // false for NaN

Result<void> check_rate(const SloTerms& slo, const Config& config) {
  const double allowed = 1 - slo.objective;
  if (!(config.burn * allowed < 1))
    return fail(Blame::input, "SLO '", slo.name, "': a burn rate of ", config.burn, " can never be exceeded, for a total outage burns at ",
                1 / allowed, "; raise the objective or lower the burn threshold");
  const double allowance = config.budget * allowed * slo.window_events;
  if (!(allowance >= 1))
    return fail(Blame::refused, "SLO '", slo.name, "': ", config.budget * 100, " % of its budget is ", allowance,
                " bad events, not even one; raise the budget, or the traffic with a load of your own");
  const double reserve = slo.rate_most * seconds(config.rollback);
  if (!(reserve < allowance))
    return fail(Blame::refused, "SLO '", slo.name, "': a rollback may take ", seconds(config.rollback), " s, in which up to ", reserve,
                " events can fail, but the experiment may spend only ", allowance, "; raise guard.budget");
  return {};
}

Result<void> check_slo(const SloTerms& slo, const Config& config) {
  if (!inside_unit(slo.objective))
    return fail(Blame::input, "SLO '", slo.name, "': an objective of ", slo.objective * 100, " % must lie between 0 % and 100 %");
  if (slo.window <= Duration::zero()) return fail(Blame::input, "SLO '", slo.name, "': the window must be longer than nothing");
  if (!positive(slo.window_events) || !positive(slo.rate_most))
    return fail(Blame::refused, "SLO '", slo.name, "': no events were seen from which its budget could be computed");
  return check_rate(slo, config);
}

Result<void> check(const Config& config) {
  if (!(config.budget > 0 && config.budget <= 1)) return fail(Blame::input, "guard budget must be over 0 % and at most 100 %");
  if (!inside_unit(config.alpha)) return fail(Blame::input, "guard alpha must lie between 0 and 1");
  if (!positive(config.burn)) return fail(Blame::input, "guard burn threshold must be over 0");
  if (config.length <= Duration::zero()) return fail(Blame::input, "the experiment's planned length must be longer than nothing");
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
  bool begun = false;
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
  state_->begun = true;
  for (SloWatch& slo : state_->slos) slo.injected(at);
}

void Guard::reverted(Duration at) {
  for (SloWatch& slo : state_->slos) slo.reverted(at);
}

void Guard::observe(std::size_t slo, const Slice& slice) {
  if (slo < state_->slos.size()) state_->slos[slo].observe(slice);
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
