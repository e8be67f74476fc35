// The injections of a run: started when due, ended when due, and what their agents tell about them in between.
#include "experiments/run/inside.hpp"

#include <algorithm>

namespace arashi::run {

using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr Duration patience_for_injection = seconds(30);       // the loop gives up earlier; this is for a loop that lost the answer
constexpr Duration patience_for_evidence = milliseconds(500);  // a last look before a planned revert; an abort takes none
constexpr Duration between_reverts = seconds(2);
constexpr Duration settle = seconds(3);  // an answer that old may have crossed with the injection

std::string named(const FaultResult& fault) { return fault.fault + " on " + fault.victim; }

}  // namespace

std::optional<std::size_t> Runner::Inside::find(const std::string& id) const {
  for (std::size_t i = 0; i < result.faults.size(); ++i)
    if (result.faults[i].id == id) return i;
  return std::nullopt;
}

bool Runner::Inside::anything_active_ever() const {
  return std::any_of(result.faults.begin(), result.faults.end(), [](const FaultResult& fault) { return fault.active_at.has_value(); });
}

void Runner::Inside::start_due(Duration now) {
  bool any = false;
  for (std::size_t i = 0; i < course.size(); ++i) {
    if (course[i].phase != Phase::waiting || now < *result.times.first_injection + result.plan.injections[i].at || must_wait(i)) continue;
    inject(i, now);
    any = true;
  }
  if (!any) return;
  guard->injected(now);
  guard_inputs.push_back({.now = now, .injected = true});
}

bool Runner::Inside::must_wait(std::size_t index) const {
  const auto& mine = result.plan.injections[index];
  for (std::size_t i = 0; i < course.size(); ++i) {
    const auto& other = result.plan.injections[i];
    if (i != index && course[i].phase != Phase::over && other.at + other.length <= mine.at && plan::share_a_claim(mine, other)) return true;
  }
  return false;
}

void Runner::Inside::inject(std::size_t index, Duration now) {
  const auto& planned = result.plan.injections[index];
  course[index].phase = Phase::asked;
  course[index].since = now;
  result.faults[index].asked_at = now;
  result.faults[index].step = Step::applying;
  note(now, "inject", named(result.faults[index]) + " [" + planned.id + "]");
  send(Inject{planned.agent,
              {.experiment = result.run,
               .id = planned.id,
               .fault = planned.fault,
               .victim = planned.victim,
               .params = planned.params,
               .duration = planned.length + overtime}});
}

void Runner::Inside::take(const InjectDone& done, Duration now) {
  const auto index = find(done.id);
  if (!index || course[*index].phase != Phase::asked) return note(now, "unexpected answer", "to inject " + done.id);
  auto& one = course[*index];
  auto& fault = result.faults[*index];
  if (!done.ok) {
    one.phase = Phase::over;
    one.since = now;
    fault.step = done.blame == Blame::system ? Step::reverted : Step::intended;  // the agent takes back what it cannot finish
    fault.problem = done.problem;
    note(now, "inject failed", named(fault) + ": " + done.problem);
    if (!timeline_runs()) return;  // cut short by our own revert
    const bool a_refusal = done.blame != Blame::system && !anything_active_ever();
    return stop(a_refusal ? Outcome::refused : Outcome::inconclusive, named(fault) + " could not be injected: " + done.problem, now);
  }
  one.phase = Phase::active;
  one.since = now;
  one.ends_at = now + result.plan.injections[*index].length;
  fault.active_at = now;
  fault.step = Step::active;
  fault.evidence = done.evidence;
  note(now, "active", named(fault) + ": " + done.evidence.detail);
  if (timeline_runs()) return;
  nodes[fault.agent].clean = false;  // it overtook the revert
  revert_one(*index, now);
}

void Runner::Inside::give_up_unanswered(Duration now) {
  for (std::size_t i = 0; i < course.size() && timeline_runs(); ++i)
    if (course[i].phase == Phase::asked && now - course[i].since >= patience_for_injection)
      take(InjectDone{.id = result.faults[i].id,
                      .problem = "agent " + result.faults[i].agent + " gave no answer within " + to_text(patience_for_injection),
                      .blame = Blame::system},
           now);
}

// The end as planned: a last look at the evidence, then the revert.
void Runner::Inside::end_due(Duration now) {
  bool look = false;
  for (std::size_t i = 0; i < course.size(); ++i) {
    auto& one = course[i];
    if (one.phase == Phase::active && now >= one.ends_at) {
      one.phase = Phase::closing;
      one.since = now;
      look = true;
    } else if (one.phase == Phase::closing && now - one.since >= patience_for_evidence) {
      revert_one(i, now);
    }
  }
  if (!look) return;
  status_asked = now;
  send(AskStatus{});
}

void Runner::Inside::revert_one(std::size_t index, Duration now) {
  auto& one = course[index];
  one.phase = Phase::reverting;
  one.since = now;
  one.retry_at = now + between_reverts;
  result.faults[index].step = Step::reverting;
  note(now, "revert", named(result.faults[index]) + " [" + result.faults[index].id + "]");
  send(RevertOne{result.faults[index].agent, result.faults[index].id});
}

void Runner::Inside::retry_reverts(Duration now) {
  for (std::size_t i = 0; i < course.size(); ++i) {
    auto& one = course[i];
    if (one.phase != Phase::reverting) continue;
    if (now - one.since >= revert_bound)
      return stop(Outcome::inconclusive, named(result.faults[i]) + " could not be reverted in time", now);
    if (now < one.retry_at) continue;
    one.retry_at = now + between_reverts;
    send(RevertOne{result.faults[i].agent, result.faults[i].id});
  }
}

void Runner::Inside::mark_over(std::size_t index, Step step, const std::string& problem, Duration now) {
  auto& fault = result.faults[index];
  if (course[index].phase == Phase::over && fault.step != Step::stuck) return;
  const bool told = fault.step == step && fault.problem == problem && course[index].phase == Phase::over;
  course[index].phase = Phase::over;
  fault.step = step;
  if (!problem.empty()) fault.problem = problem;
  if (fault.active_at && step != Step::stuck) fault.reverted_at = now;
  if (told) return;  // each try says the same
  note(now, std::string(arashi::name_of(step)), named(fault) + (problem.empty() ? "" : ": " + problem));
}

// ---- what the agents tell

void Runner::Inside::take(const StatusSeen& seen, Duration now) {
  for (std::size_t i = 0; i < course.size(); ++i) {
    if (result.faults[i].agent != seen.agent) continue;
    const auto found =
        std::find_if(seen.injections.begin(), seen.injections.end(), [&](const auto& status) { return status.id == result.faults[i].id; });
    if (found == seen.injections.end()) {
      miss(i, now);
    } else {
      learn(i, *found, now);
    }
  }
  if (!timeline_runs()) return;
  for (std::size_t i = 0; i < course.size(); ++i)
    if (result.faults[i].agent == seen.agent && course[i].phase == Phase::closing) revert_one(i, now);
}

namespace {

// What was once seen of a fault stays seen; the rest is of the newest look, but for one that is being taken back.
void learn_evidence(Evidence& known, const Evidence& seen, bool standing) {
  const bool bit = known.bit || seen.bit;
  const bool in_place = known.in_place || seen.in_place;
  if (standing) known = seen;
  known.bit = bit;
  known.in_place = in_place;
}

}  // namespace

void Runner::Inside::learn(std::size_t index, const protocol::InjectionStatus& status, Duration now) {
  auto& one = course[index];
  auto& fault = result.faults[index];
  one.unlisted = 0;
  if (!status.mechanism.empty()) fault.mechanism = status.mechanism;
  const bool standing = one.phase == Phase::active || one.phase == Phase::closing;
  if (standing || one.phase == Phase::reverting) learn_evidence(fault.evidence, status.evidence, standing);
  if (!standing || !timeline_runs()) return;
  if (status.step == Step::lost || status.step == Step::stuck) {
    fault.step = status.step;
    fault.problem = status.problem;
    return stop(Outcome::inconclusive, named(fault) + " was lost while it should have been active: " + status.problem, now);
  }
  if (!is_over(status.step)) return;
  mark_over(index, status.step, status.problem, now);
  if (status.code == Code::halted) return stop(Outcome::interrupted, "halted on agent " + fault.agent + " (`arashi halt`)", now);
  const std::string why = !status.problem.empty()        ? status.problem
                          : status.code == Code::expired ? "its lease was not renewed in time"
                                                         : "its agent reverted it";
  stop(Outcome::inconclusive, named(fault) + " ended before its time: " + why, now);
}

void Runner::Inside::miss(std::size_t index, Duration now) {
  auto& one = course[index];
  if (!timeline_runs() || one.phase != Phase::active || now - one.since < settle) return;
  if (++one.unlisted < 2) return;
  auto& fault = result.faults[index];
  mark_over(index, Step::lost, "its agent no longer knows of it", now);
  stop(Outcome::inconclusive, named(fault) + " was lost: agent " + fault.agent + " no longer knows of it", now);
}

}  // namespace arashi::run
