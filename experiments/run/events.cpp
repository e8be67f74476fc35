// What is told to a run: by the sources, the agents, the load, a person.
#include "experiments/run/inside.hpp"

#include <algorithm>

namespace arashi::run {

using std::chrono::milliseconds;

void Runner::Inside::take(const Tick& /*tick*/, Duration /*now*/) {}

void Runner::Inside::take(const SliceSeen& seen, Duration now) {
  if (!guard || seen.slo >= experiment.slos.size()) return;
  guard->observe(seen.slo, seen.slice, seen.source);
  guard_inputs.push_back({.now = now, .slo = seen.slo, .slice = seen.slice, .source = seen.source});
  watch_first_bad(seen.slo, seen.slice);
  watch_own(seen.slice);
  if (state >= State::injecting) evaluate(now);
  Watched* one = watched_source(seen.slo, seen.source);
  if (one == nullptr) return;
  Streak& streak = one->streak;
  if (state == State::steady) streak.extend(seen.slice);
  const bool after_revert = result.times.last_revert && seen.slice.begin >= *result.times.last_revert;
  if (state != State::recovering || !after_revert || one->recovered) return;
  streak.extend(seen.slice);
  if (!within_objective(seen.slice.total, seen.slice.bad, streak.objective()) || !streak.within()) return streak.restart();
  if (streak.covered() >= recovered_after && streak.total() > 0) one->recovered = streak.begin();
}

Watched* Runner::Inside::watched_source(std::size_t slo, std::size_t source) {
  const auto found = std::ranges::find_if(watched, [&](const Watched& one) { return one.slo == slo && one.source == source; });
  return found == watched.end() ? nullptr : &*found;
}

void Runner::Inside::watch_first_bad(std::size_t slo, const guard::Slice& slice) {
  const auto& first = result.times.first_injection;
  if (!first || slice.bad == 0 || slice.end <= *first || first_bad[slo]) return;
  first_bad[slo] = std::max(slice.begin, *first);
}

void Runner::Inside::watch_own(const guard::Slice& slice) {
  if (slice.ours == 0 || !result.times.first_injection || slice.end <= *result.times.first_injection) return;
  not_sent += slice.ours;
  not_sent_why = slice.problem;
}

std::string first_reason(const guard::Verdict& verdict) {
  if (verdict.reasons.empty()) return "the guard gave no reason";
  const auto& first = verdict.reasons[0];
  return first.text.starts_with(first.slo) ? first.text : first.slo + ": " + first.text;
}

// For the charts. However long a run is, so many are enough for them: then every second one goes, and from there on fewer come.
void Runner::Inside::keep(guard::Verdict verdict) {
  constexpr std::size_t most = 4000;
  auto& kept = result.verdicts;
  kept.push_back(std::move(verdict));
  if (kept.size() <= most) return;
  std::size_t index = 0;
  std::erase_if(kept, [&](const guard::Verdict& one) { return index++ % 2 == 1 && !one.abort; });
  keep_every *= 2;
}

void Runner::Inside::evaluate(Duration now) {
  auto verdict = guard->evaluate(now);
  guard_inputs.push_back({.now = now});
  evaluated = now;
  result.slos = verdict.slos;
  if (verdict.hold != hold) {
    hold = verdict.hold;
    note(now, hold ? "hold" : "hold ends", verdict.reasons.empty() ? "" : verdict.reasons[0].text);
  }
  const bool a_second = result.verdicts.empty() || now - result.verdicts.back().at >= keep_every;
  const bool news = verdict.abort && !result.abort && (!decided || result.outcome != Outcome::interrupted);
  if (a_second || news) keep(verdict);
  if (!news) return;
  const std::string reason = first_reason(verdict);
  result.abort = std::move(verdict);
  if (!result.times.decision) result.times.decision = now;
  if (!timeline_runs()) return conclude(Outcome::refuted, reason);
  stop(Outcome::refuted, reason, now);
}

void Runner::Inside::take(const LeaseOpened& opened, Duration now) {
  nodes[opened.agent].leased = true;
  note(now, "lease opened", opened.agent);
}

void Runner::Inside::take(const AgentDied& died, Duration now) {
  note(now, "agent died", died.agent);
  if (!nodes.contains(died.agent)) return;
  const std::string reason = "agent " + died.agent + " died, so this runner reverted with `arashi-agent recover`";
  if (timeline_runs()) return stop(Outcome::inconclusive, reason, now);
  if (state == State::reverting && result.times.first_injection) return conclude(Outcome::inconclusive, reason);
  if (state > State::steady || closing != Closing::no) return;
  conclude(Outcome::refused, "agent " + died.agent + " died before anything was injected");
  wind_up(now);
}

void Runner::Inside::take(const LeaseFailed& failed, Duration now) {
  note(now, failed.expired ? "lease lost" : "lease not renewed", failed.agent + ": " + failed.problem);
  if (state == State::steady && !nodes[failed.agent].leased) {
    conclude(Outcome::refused, "agent " + failed.agent + " gives no lease: " + failed.problem);
    return wind_up(now);
  }
  if (!failed.expired) return;
  if (state == State::steady) {
    conclude(Outcome::refused, "agent " + failed.agent + " was lost before anything was injected: " + failed.problem);
    return wind_up(now);
  }
  if (timeline_runs())
    stop(Outcome::inconclusive,
         "agent " + failed.agent + " was out of reach for " + to_text(lease_ttl) +
             " and its lease ended, so it has reverted its faults: " + failed.problem,
         now);
}

void Runner::Inside::take(const LoadSeen& seen, Duration /*now*/) {
  result.loads = seen.loads;
  if (closing == Closing::load && seen.last) load_settled = true;
}

void Runner::Inside::take(const LoadFailed& failed, Duration now) {
  note(now, "load failed", failed.problem);
  if (timeline_runs()) return stop(Outcome::inconclusive, "the load could not go on: " + failed.problem, now);
  if (state != State::steady) return;
  conclude(Outcome::refused, "the load could not be started: " + failed.problem);
  wind_up(now);
}

void Runner::Inside::take(const StopAsked& asked, Duration now) {
  note(now, "stop asked", asked.by + (state == State::reverting ? ": it is reverting already, and waits for every agent to confirm" : ""));
  const std::string reason = "interrupted by " + asked.by;
  if (timeline_runs()) return stop(Outcome::interrupted, reason, now);
  if (closing == Closing::checks) {
    awaited.clear();
    conclude(Outcome::interrupted, reason + " before the checks afterwards had ended");
  }
  if (state == State::reverting || closing != Closing::no) return;  // it stops already
  if (!decided) conclude(Outcome::interrupted, reason);
  if (state == State::recovering) return close(now);
  wind_up(now);
}

}  // namespace arashi::run
