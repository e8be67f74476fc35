// What must be known before anything may start: who would be hit and how, and what the SLOs have left to spend.
#include "experiments/run/inside.hpp"

namespace arashi::run {

void Runner::Inside::take(const Planned& made, Duration now) {
  if (state != State::preparing || plan_known) return note(now, "unexpected answer", "a plan");
  plan_known = true;
  result.plan = made.plan;
  for (const auto& one : result.plan.injections) {
    course.push_back({.node = &nodes[one.agent]});  // a map's entries do not move
    FaultResult fault{.id = one.id, .fault = one.fault, .victim = one.victim.label, .agent = one.agent};
    if (one.step < experiment.timeline.size()) fault.target = experiment.timeline[one.step].on;
    fault.mechanism = one.how.mechanism;
    result.faults.push_back(std::move(fault));
  }
  note(now, "planned", std::to_string(result.faults.size()) + (result.faults.size() == 1 ? " injection" : " injections"));
  for (const auto& warning : result.plan.warnings) note(now, "warning", warning);
}

void Runner::Inside::take(const PastRead& read, Duration now) {
  if (state != State::preparing || guard) return note(now, "unexpected answer", "the SLOs' past");
  auto made = guard::Guard::make(read.config);
  if (!made) return take(NotPrepared{made.error()}, now);
  config = read.config;
  guard = std::move(*made);
}

void Runner::Inside::take(const NotPrepared& failed, Duration now) {
  if (closing != Closing::no || state > State::checking) return note(now, "not prepared", failed.error.message);
  result.not_prepared = failed.error;
  conclude(Outcome::refused, failed.error.message);
  wind_up(now);
}

// Both are asked side by side. A plan that is refused waits for the past all the same: what is wrong with that is told first, whichever
// answers first.
void Runner::Inside::advance_preparing(Duration now) {
  if (!std::exchange(asked_to_prepare, true)) {
    send(MakePlan{});
    send(ReadPast{});
  }
  if (closing != Closing::no) return advance_closing(now);
  if (!plan_known || !guard) return;
  enter(State::checking, now);
  if (result.plan.refusals.empty()) send(OpenSources{});
  advance_checking(now);
}

}  // namespace arashi::run
