// The experiment's own checks: before, during and after.
#include "experiments/run/inside.hpp"

#include <algorithm>

namespace arashi::run {

using std::chrono::seconds;

namespace {

constexpr Duration patience_for_checks = seconds(5);  // beyond their own timeout

}  // namespace

void Runner::Inside::take(const CheckDone& done, Duration now) {
  const auto& check = done.result;
  const auto waiting = awaited.find(check.name);
  note(now, check.passed ? "check passed" : "check failed", check.name + " (" + check.when + "): " + check.detail);
  result.checks.push_back(check);
  if (waiting == awaited.end()) return;
  awaited.erase(waiting);
  if (check.passed) return;
  const std::string reason = "check '" + check.name + "' failed " + check.when + " the experiment: " + check.detail;
  if (check.when == "before") return conclude(Outcome::refused, reason);
  if (!timeline_runs()) return conclude(Outcome::refuted, reason);
  result.times.decision = now;
  stop(Outcome::refuted, reason, now);
}

void Runner::Inside::run_checks(const std::string& when, Duration now) {
  for (const auto& check : experiment.checks) {
    const bool wanted = when == "before" ? check.before : check.after;
    if (!wanted) continue;
    awaited[check.name] = {now + check.timeout + patience_for_checks};
    send(RunCheck{check.name, when});
  }
}

void Runner::Inside::run_due_checks(Duration now) {
  for (const auto& check : experiment.checks) {
    if (check.during == Duration{} || awaited.contains(check.name)) continue;
    const auto due = next_check.try_emplace(check.name, now).first;
    if (now < due->second) continue;
    due->second = now + check.during;
    awaited[check.name] = {now + check.timeout + patience_for_checks};
    send(RunCheck{check.name, "during"});
  }
}

// One that never answers has failed: not knowing is not passing.
void Runner::Inside::expire_checks(Duration now) {
  std::vector<std::string> silent;
  for (const auto& [name, waiting] : awaited)
    if (now >= waiting.until) silent.push_back(name);
  const char* when = state == State::checking ? "before" : timeline_runs() ? "during" : "after";
  for (const auto& name : silent) take(CheckDone{{.name = name, .when = when, .at = now, .detail = "it did not end in time"}}, now);
}

}  // namespace arashi::run
