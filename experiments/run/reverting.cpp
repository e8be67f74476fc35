// Until every agent has confirmed that nothing of this run is left on its machine.
#include "experiments/run/inside.hpp"

#include <algorithm>
#include <set>

namespace arashi::run {

using std::chrono::milliseconds;
using std::chrono::seconds;

namespace {

constexpr Duration between_reverts = seconds(2);         // no answer yet: asked again over another connection
constexpr Duration after_a_failure = milliseconds(500);  // an answer that says no

}  // namespace

void Runner::Inside::start_reverting(Duration now) {
  enter(State::reverting, now);
  // Whoever stops has put it first already.
  const bool sent =
      std::any_of(commands.begin(), commands.end(), [](const Command& command) { return std::holds_alternative<RevertAll>(command); });
  if (!sent) send(RevertAll{});
  for (auto& [name, node] : nodes) {
    node.clean = false;
    node.retry_at = now + between_reverts;
  }
  for (auto& one : course)
    if (one.phase == Phase::waiting) one.phase = Phase::over;
}

std::set<std::string> Runner::Inside::take_outcomes(const RevertDone& done, Node& node, Duration now) {
  std::set<std::string> stuck;
  for (const auto& outcome : done.outcomes) {
    const auto index = find(outcome.id);
    if (!index) continue;
    mark_over(*index, outcome.step, outcome.problem, now);
    if (outcome.step != Step::stuck) continue;
    stuck.insert(outcome.id);
    node.problem = outcome.problem;
  }
  return stuck;
}

// What the agent does not list had ended before. One that was asked for and not yet answered is still to come.
void Runner::Inside::mark_unlisted(const RevertDone& done, const Node& node, const std::set<std::string>& stuck, Duration now) {
  for (std::size_t i = 0; i < course.size(); ++i) {
    const auto& fault = result.faults[i];
    const bool meant = done.id.empty() ? course[i].node == &node : fault.id == done.id;
    const bool stands = fault.active_at && (course[i].phase != Phase::over || fault.step == Step::stuck);
    if (meant && stands && !stuck.contains(fault.id)) mark_over(i, Step::reverted, "", now);
  }
}

void Runner::Inside::take(const RevertDone& done, Duration now) {
  const auto found = nodes.find(done.agent);
  if (found == nodes.end()) return note(now, "unexpected answer", "to revert from " + done.agent);
  auto& node = found->second;
  if (!done.ok) {
    node.problem = done.problem;
    node.retry_at = std::min(node.retry_at, now + after_a_failure);
    return note(now, "revert failed", done.agent + ": " + done.problem);
  }
  const auto stuck = take_outcomes(done, node, now);
  mark_unlisted(done, node, stuck, now);
  if (!stuck.empty() && timeline_runs())
    return stop(Outcome::inconclusive, "agent " + done.agent + " could not revert: " + node.problem, now);
  if (done.id.empty() && state == State::reverting) node.clean = stuck.empty();
  if (!stuck.empty()) node.retry_at = std::min(node.retry_at, now + after_a_failure);
}

// Those that have not confirmed; asked again when it is time. Linear: an abort over a thousand agents brings a thousand answers.
std::vector<std::string> Runner::Inside::ask_the_dirty(Duration now) {
  for (auto& [name, node] : nodes) node.pending = false;
  for (const auto& one : course) one.node->pending = one.node->pending || one.phase != Phase::over;
  std::vector<std::string> dirty;
  for (auto& [name, node] : nodes) {
    if (node.clean && !node.pending) continue;
    dirty.push_back(name);
    if (now < node.retry_at) continue;
    node.retry_at = now + between_reverts;
    send(RevertOne{name, ""});
  }
  return dirty;
}

// last_revert: when the last confirmation came.
void Runner::Inside::settle_last_revert(Duration now) {
  Duration last{};
  for (const auto& fault : result.faults) last = std::max(last, fault.reverted_at.value_or(Duration{}));
  result.times.last_revert = last == Duration{} ? now : last;
}

// What may be left on this agent's machine, by name.
std::string Runner::Inside::unconfirmed_on(const std::string& agent) const {
  std::string text;
  for (const auto& fault : result.faults)
    if (fault.agent == agent && fault.asked_at && !fault.reverted_at && fault.step != Step::intended)
      text += (text.empty() ? "" : ", ") + fault.fault + " on " + fault.victim + " [" + fault.id + "]";
  return text;
}

void Runner::Inside::conclude_left_behind(const std::vector<std::string>& dirty) {
  for (const auto& name : dirty) {
    const auto& problem = nodes[name].problem;
    const std::string left = unconfirmed_on(name);
    conclude(Outcome::left_behind, "agent " + name + " did not confirm within " + to_text(revert_bound) + " that everything is reverted" +
                                       (left.empty() ? "" : "; may be left there: " + left) +
                                       "; its lease has ended, but check it with `arashi status`, or revert it with "
                                       "`arashi-agent recover` where no agent runs" +
                                       (problem.empty() ? "" : ": " + problem));
  }
}

void Runner::Inside::advance_reverting(Duration now) {
  if (closing != Closing::no) return advance_closing(now);
  if (now - evaluated >= seconds(1) && result.times.first_injection) evaluate(now);
  const auto dirty = ask_the_dirty(now);
  if (!dirty.empty() && now - entered < revert_bound) return;
  const bool injected =
      std::any_of(result.faults.begin(), result.faults.end(), [](const FaultResult& fault) { return fault.asked_at.has_value(); });
  if (!injected) return close(now);
  conclude_left_behind(dirty);
  if (dirty.empty()) settle_last_revert(now);
  guard->reverted(now);
  guard_inputs.push_back({.now = now, .reverted = true});
  const bool interrupted = decided && result.outcome == Outcome::interrupted;
  if (!dirty.empty() || interrupted || !anything_active_ever()) return close(now);
  for (auto& one : watched) one.streak.forget();
  enter(State::recovering, now);
  advance_recovering(now);
}

}  // namespace arashi::run
