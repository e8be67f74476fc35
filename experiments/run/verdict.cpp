// The rule by which a run that nothing stopped is judged; README.md has it in words.
#include "experiments/guard/words.hpp"
#include "experiments/run/inside.hpp"

#include <algorithm>
#include <sstream>

namespace arashi::run {

namespace {

constexpr Duration weighs = std::chrono::seconds(60);  // so long a standstill of the runner's own is in doubt with what comes after

// Neither a violation nor that it held was shown.
std::string undecided(const guard::SloState& slo) {
  if (slo.total > 0 && slo.log_held >= slo.log_held_threshold) return "";
  std::ostringstream text;
  text << slo.name << ": ";
  if (slo.total < slo.held_needs)
    text << "only " << slo.total << " events since the first injection, too few for a verdict (" << slo.held_needs << " needed)";
  else if (slo.bad == 0)
    text << "too few of " << slo.total << " events are known of all requests to show that it held (" << slo.held_needs << " needed)";
  else
    text << slo.bad << " of " << slo.total << " events were bad: too many to show that it held, too few to abort";
  return text.str();
}

std::string without_effect(const FaultResult& fault) {
  const std::string who = fault.fault + " on " + fault.victim;
  const std::string detail = fault.evidence.detail.empty() ? "" : " (" + fault.evidence.detail + ")";
  if (!fault.active_at) return who + " was never injected";
  if (!fault.evidence.in_place) return who + " could not be read back from the machine" + detail;
  if (fault.evidence.bit) return "";
  const auto matched = std::ranges::find(fault.evidence.values, "matched packets", &Achieved::what);
  if (matched != fault.evidence.values.end() && matched->achieved == 0.0)
    return who + " was active but matched no traffic: 0 of " + std::to_string(fault.evidence.seen) + " packets matched" + detail;
  std::ostringstream text;
  text << who << " was active, no effect observed: " << fault.evidence.affected << " of " << fault.evidence.seen << " events" << detail;
  return text.str();
}

}  // namespace

bool Runner::Inside::is_incident(std::size_t slo) const {
  return slo < result.slos.size() && result.slos[slo].effect && result.slos[slo].effect->cause == guard::Cause::incident;
}

// What hits the untouched replicas as well is no answer to the hypothesis: neither that it stopped the run, nor that it is not over yet.
void Runner::Inside::tell_incident() {
  if (!result.abort || result.outcome != Outcome::refuted || result.reasons.size() != 1 + unrecovered.size()) return;
  for (std::size_t i = 0; i < result.slos.size(); ++i) {
    const auto& reasons = result.abort->reasons;
    const bool stopped = std::ranges::any_of(reasons, [&](const auto& reason) { return reason.slo == result.slos[i].name; });
    if ((stopped || unrecovered.contains(i)) && !is_incident(i)) return;
  }
  result.outcome = Outcome::inconclusive;
  for (std::size_t i = 0; i < result.slos.size(); ++i)
    if (is_incident(i)) result.reasons.push_back(result.slos[i].name + ": " + cause_words(*result.slos[i].effect));
}

// A runner that was stopped, starved or suspended neither sent nor watched. What the guard or the recovery saw within the minute after is
// not held against the service, and a run that seems to have held was not watched all the time.
void Runner::Inside::tell_standstill() {
  if (stood_still.empty()) return;
  const auto soon_after = [&](Duration at) {
    return std::ranges::any_of(stood_still, [at](const auto& one) { return at >= one.from && at <= one.until + weighs; });
  };
  const auto& first = stood_still.front();
  const std::string reason =
      "the runner itself stood still for " + to_text(std::chrono::duration_cast<std::chrono::milliseconds>(first.until - first.from)) +
      (stood_still.size() > 1 ? " and " + std::to_string(stood_still.size() - 1) + " times more" : "") +
      " (it was stopped, the machine was suspended or had no processor time): what it measured then is not the service's";
  if (!decided || result.outcome != Outcome::refuted) return conclude(Outcome::inconclusive, reason);
  const bool by_what_it_measured = result.reasons.size() == (result.abort ? 1U : 0U) + unrecovered.size();
  const bool in_doubt = by_what_it_measured && (!result.abort || soon_after(result.abort->at)) &&
                        (unrecovered.empty() || soon_after(*result.times.last_revert + experiment.recovery_within));
  if (in_doubt) result.outcome = Outcome::inconclusive;
  result.reasons.insert(in_doubt ? result.reasons.begin() : result.reasons.end(), reason);
}

// What the runner itself did not send tells nothing of the service: neither that it held, nor that it did not.
void Runner::Inside::tell_own() {
  if (not_sent == 0) return;
  const auto why = "the runner itself did not send all requests: " + not_sent_why;
  const bool by_unknown = result.abort && std::ranges::all_of(result.abort->reasons, &guard::Reason::unknown);
  if (decided && result.outcome == Outcome::refuted && by_unknown && unrecovered.empty()) {
    result.outcome = Outcome::inconclusive;
    result.reasons.insert(result.reasons.begin(), why);
  } else if (decided && result.outcome != Outcome::inconclusive) {
    result.reasons.push_back(why);
  } else {
    conclude(Outcome::inconclusive, why);
  }
}

// How many faults took effect.
std::size_t Runner::Inside::judge_faults(bool open) {
  std::size_t bit = 0;
  for (const auto& fault : result.faults) {
    const std::string why = without_effect(fault);
    bit += why.empty() ? 1 : 0;
    if (open && !why.empty() && (!decided || fault.active_at)) conclude(Outcome::inconclusive, why);
    if (open && fault.step == Step::drifted) conclude(Outcome::inconclusive, fault.fault + " on " + fault.victim + ": " + fault.problem);
  }
  return bit;
}

// How much of each error budget was used, in words.
std::string Runner::Inside::judge_slos() {
  std::ostringstream kept;
  for (std::size_t i = 0; i < std::min(experiment.slos.size(), result.slos.size()); ++i) {
    const auto& slo = result.slos[i];
    if (const auto why = undecided(slo); !why.empty()) conclude(Outcome::inconclusive, why);
    kept << (i == 0 ? "" : ", ") << slo.name << ": error budget used " << percent_text(slo.budget_spent) << " (limit "
         << percent_text(experiment.guard.budget.fraction) << ")";
  }
  return kept.str();
}

void Runner::Inside::judge() {
  settle_first_bad();
  tell_incident();
  tell_standstill();
  tell_own();
  if (decided && result.outcome == Outcome::refused && anything_active_ever())
    result.outcome = Outcome::inconclusive;  // "refused" promises that nothing was touched
  const bool open = !decided || result.outcome == Outcome::inconclusive;
  const std::size_t bit = judge_faults(open);
  if (decided && result.outcome == Outcome::refuted && bit == 0 && result.times.first_injection)
    result.reasons.emplace_back("no effect of any fault was observed: the cause may be something else");
  const std::string kept = open && result.times.first_injection ? judge_slos() : "";
  if (decided) return;
  std::string reason = "steady, and nothing was injected";
  if (!result.faults.empty())
    reason = std::to_string(bit) + (bit == 1 ? " fault took effect" : " faults took effect") + (kept.empty() ? "" : "; ") + kept;
  conclude(Outcome::held, reason);
}

namespace {

std::optional<Duration> first_bad_by(const load::Summary& load, Duration latency, Duration since) {
  const auto by = std::ranges::find(load.thresholds, latency, &load::ByLatency::latency);
  return by != load.thresholds.end() && by->first_bad && *by->first_bad >= since ? by->first_bad : std::nullopt;
}

// By whichever of the loads that measure it knew first.
std::optional<Duration> first_bad_of(const spec::Slo& slo, const std::vector<load::Summary>& loads, Duration since) {
  std::optional<Duration> first;
  for (const auto& measure : slo.measures)
    for (const auto& load : loads) {
      const auto bad = measure.load == load.name ? first_bad_by(load, measure.latency, since) : std::nullopt;
      if (bad && (!first || *bad < *first)) first = bad;
    }
  return first;
}

}  // namespace

// The load generator knows the moment; a slice only its second.
void Runner::Inside::settle_first_bad() {
  for (std::size_t i = 0; i < first_bad.size(); ++i) {
    auto first = first_bad[i];
    if (result.times.first_injection)
      if (const auto precise = first_bad_of(experiment.slos[i], result.loads, *result.times.first_injection)) first = precise;
    if (first && (!result.times.first_bad || *first < *result.times.first_bad)) result.times.first_bad = first;
  }
}

}  // namespace arashi::run
