#include "experiments/plan/plan.hpp"

#include "experiments/plan/cost.hpp"
#include "experiments/plan/draw.hpp"
#include "experiments/plan/limits.hpp"
#include "experiments/plan/peers.hpp"
#include "injector/core/id.hpp"
#include "injector/core/json.hpp"

#include <algorithm>
#include <tuple>

namespace arashi::plan {
namespace {

bool is_hit(const spec::Experiment& experiment, const std::string& target) {
  return std::ranges::any_of(experiment.timeline, [&](const spec::Step& step) { return step.on == target; });
}

bool is_a_peer(const spec::Experiment& experiment, const std::string& target) {
  return std::ranges::any_of(experiment.timeline, [&](const spec::Step& step) {
    const auto peers = spec::peer_targets(step);
    return std::ranges::find(peers, target) != peers.end();
  });
}

std::string agent_of(const Group& group, const std::vector<std::string>& on, std::size_t index) {
  return index < on.size() ? on[index] : group.agent;
}

Group pick_group(const spec::Target& target, Group group, std::uint64_t fresh_seed) {
  group.target = target.name;
  group.seed = target.pick.seed.value_or(seed_for(target.name, fresh_seed));
  for (const std::size_t index : draw(group.found, target.pick, group.seed)) {
    group.picked.push_back(group.found[index]);
    if (!group.found_on.empty()) group.picked_on.push_back(agent_of(group, group.found_on, index));
  }
  return group;
}

void check_group(const spec::Target& target, const Group& group, Plan& plan) {
  const std::size_t wanted = how_many(group.found.size(), target.pick);
  if (group.found.empty() && !group.looked_everywhere) return;  // the caller adds why
  if (group.found.empty())
    plan.refusals.push_back("target '" + target.name + "': nothing found for " + in_words(target.selector) +
                            "; is it running on this machine?");
  else if (wanted > group.found.size())
    plan.refusals.push_back("target '" + target.name + "': " + std::to_string(wanted) + " are asked for, " +
                            std::to_string(group.found.size()) + " found for " + in_words(target.selector));
}

void add_injections(const spec::Experiment& experiment, std::size_t index, const Group& group, Plan& plan) {
  const spec::Step& step = experiment.timeline[index];
  for (std::size_t i = 0; i < group.picked.size(); ++i) {
    auto params = params_for(step, {.victim = group.picked[i], .agent = agent_of(group, group.picked_on, i)}, plan.groups);
    if (!params) {
      plan.refusals.push_back(step.fault + " on " + group.picked[i].label + ": " + params.error().message);
      continue;
    }
    plan.injections.push_back({.id = new_id(),
                               .step = index,
                               .agent = agent_of(group, group.picked_on, i),
                               .fault = step.fault,
                               .victim = group.picked[i],
                               .params = *std::move(params),
                               .at = step.at,
                               .length = step.length,
                               .how = {}});
  }
}

bool share_time(const Planned& a, const Planned& b) { return a.at < b.at + b.length && b.at < a.at + a.length; }

std::string in_words(const Planned& one) {
  return one.fault + " on " + one.victim.label + " (" + to_text(one.at) + " to " + to_text(one.at + one.length) + ")";
}

}  // namespace

Plan make(const spec::Experiment& experiment, const std::map<std::string, Group>& found, std::int64_t now, std::uint64_t fresh_seed) {
  Plan plan;
  for (const spec::Target& target : experiment.targets) {
    const bool hit = is_hit(experiment, target.name);
    if (!hit && !is_a_peer(experiment, target.name)) {
      plan.warnings.push_back("target '" + target.name + "' is not used in the timeline");
      continue;
    }
    const auto group = found.find(target.name);
    plan.groups.push_back(pick_group(target, group == found.end() ? Group{} : group->second, fresh_seed));
    plan.groups.back().hit = hit;
    check_group(target, plan.groups.back(), plan);
  }
  for (std::size_t i = 0; i < experiment.timeline.size(); ++i) {
    const auto group = std::ranges::find(plan.groups, experiment.timeline[i].on, &Group::target);
    if (group != plan.groups.end()) add_injections(experiment, i, *group, plan);
  }
  std::ranges::stable_sort(plan.injections, {}, [](const Planned& one) { return std::tie(one.at, one.step); });
  plan.worst_case = worst_case(experiment);
  check_limits(experiment, plan);
  check_window(experiment, now, plan);
  check_periods(experiment, now, plan);
  check_lag(experiment, plan);
  check_past(experiment, plan);
  check_loads(experiment, plan);
  return plan;
}

bool share_a_claim(const Planned& one, const Planned& other) {
  return one.agent == other.agent && first_overlap(one.how.claims, other.how.claims) != nullptr;
}

void check_claims(const std::string& experiment, Plan& plan) {
  for (std::size_t i = 0; i < plan.injections.size(); ++i) {
    const Planned& one = plan.injections[i];
    if (!one.how.reversible)
      plan.warnings.push_back(in_words(one) + " cannot be reverted" + (one.how.undo.empty() ? "" : ": " + one.how.undo));
    for (std::size_t j = i + 1; j < plan.injections.size(); ++j) {
      const Planned& other = plan.injections[j];
      if (one.agent != other.agent || !share_time(one, other)) continue;
      const Holder holder{.experiment = experiment, .fault = one.fault, .id = one.id};
      if (const auto free = arashi::check_claims(one.how.claims, holder, other.how.claims); !free)
        plan.refusals.push_back(in_words(one) + " and " + in_words(other) + " cannot be active at the same time: " + free.error().message +
                                "; put them one after the other, or into one step");
    }
  }
}

}  // namespace arashi::plan
