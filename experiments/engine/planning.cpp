#include "experiments/engine/planning.hpp"

#include "experiments/fleet/awaited.hpp"

#include <algorithm>
#include <chrono>
#include <random>
#include <set>

namespace arashi::engine {
namespace {

// All agents at once, each with a place of its own for what it says.
template <class Work>
void side_by_side(const Agents& agents, Work work) {
  fleet::Awaited awaited;
  std::size_t index = 0;
  for (const auto& [name, agent] : agents) work(index++, *agent, awaited);
  awaited.wait();
}

struct Found {  // by one agent, for one target
  std::vector<Victim> victims;
  std::string problem;
};

using FoundByTarget = std::map<std::string, Found>;

// Those that are hit, and those that are named as peers.
std::set<std::string> targets_of(const spec::Experiment& experiment) {
  std::set<std::string> names;
  for (const auto& step : experiment.timeline) {
    names.insert(step.on);
    for (auto& peer : spec::peer_targets(step)) names.insert(std::move(peer));
  }
  return names;
}

Found found_of(const std::string& target, Result<protocol::ResolveReply> reply) {
  if (reply) return {.victims = std::move(reply->victims), .problem = {}};
  if (reply.error().blame == Blame::missing) return {};
  return {.victims = {}, .problem = "target '" + target + "' could not be looked for: " + reply.error().message};
}

void resolve_all(const spec::Experiment& experiment, fleet::Agent& agent, fleet::Awaited& awaited, FoundByTarget& all) {
  for (const auto& name : targets_of(experiment)) {
    const spec::Target* target = spec::find_target(experiment, name);
    if (target == nullptr) continue;
    agent.resolve(target->selector, awaited.then<protocol::ResolveReply>([name, &all](Result<protocol::ResolveReply> reply) {
      all[name] = found_of(name, std::move(reply));
    }));
  }
}

// The groups over all agents; `local` names the only one.
std::map<std::string, plan::Group> grouped(const std::vector<std::string>& names, const std::vector<FoundByTarget>& found) {
  std::map<std::string, plan::Group> groups;
  for (std::size_t i = 0; i < found.size(); ++i) {
    for (const auto& [target, one] : found[i]) {
      plan::Group& group = groups[target];
      group.target = target;
      if (!one.problem.empty()) group.looked_everywhere = false;
      group.agent = names.size() == 1 ? names[0] : "";
      group.found.insert(group.found.end(), one.victims.begin(), one.victims.end());
      if (names.size() > 1) group.found_on.insert(group.found_on.end(), one.victims.size(), names[i]);
    }
  }
  return groups;
}

// `problems` by injection, in the plan's order.
void prepare_all(const std::string& experiment, fleet::Agent& agent, fleet::Awaited& awaited, std::vector<plan::Planned>& injections,
                 std::map<std::size_t, std::string>& problems) {
  for (std::size_t i = 0; i < injections.size(); ++i) {
    auto& one = injections[i];
    if (one.agent != agent.name()) continue;
    const auto take = [&one, &problems, i](Result<protocol::PrepareReply> reply) {
      if (reply)
        one.how = std::move(*reply);
      else
        problems[i] = one.fault + " on " + one.victim.label + ": " + reply.error().message;
    };
    agent.prepare(
        {.experiment = experiment, .id = one.id, .fault = one.fault, .victim = one.victim, .params = one.params, .duration = one.length},
        awaited.then<protocol::PrepareReply>(take));
  }
}

// What an earlier experiment could not take back is still there, whatever this one does.
std::vector<std::string> left_overs(const std::string& agent, const Result<protocol::StatusReply>& reply) {
  std::vector<std::string> warnings;
  if (!reply) return warnings;  // what else is asked of it says why
  for (const auto& one : reply->injections)
    if (one.step == Step::stuck)
      warnings.push_back("agent " + agent + " still holds " + one.fault + " on " + one.victim.label + " [" + one.id + "] of '" +
                         one.experiment + "', which it could not revert: " + one.problem +
                         "; mend the cause, then the agent or `arashi-agent recover` reverts it");
  return warnings;
}

std::vector<std::string> names_of(const Agents& agents) {
  std::vector<std::string> names;
  for (const auto& [name, agent] : agents) names.push_back(name);
  return names;
}

void add_problems(const std::vector<std::string>& names, std::size_t index, const std::vector<std::string>& problems, plan::Plan& plan) {
  std::set<std::string> told(plan.refusals.begin(), plan.refusals.end());
  for (const auto& problem : problems) {
    const std::string text = names.size() == 1 ? problem : "agent " + names[index] + ": " + problem;
    if (told.insert(text).second) plan.refusals.push_back(text);
  }
}

// Faults of the first agent that the others have too.
std::vector<protocol::FaultText> common_faults(const std::vector<protocol::About>& abouts) {
  std::vector<protocol::FaultText> common = abouts.front().faults;
  for (const auto& about : abouts)
    std::erase_if(common, [&](const auto& fault) {
      return std::ranges::find(about.faults, fault.name, &protocol::FaultText::name) == about.faults.end();
    });
  return common;
}

Result<std::vector<protocol::FaultText>> ask_about(const Agents& agents) {
  std::vector<std::optional<Result<protocol::About>>> replies(agents.size());
  side_by_side(agents, [&](std::size_t index, fleet::Agent& agent, fleet::Awaited& awaited) {
    agent.about(awaited.then<protocol::About>([&, index](Result<protocol::About> reply) { replies[index].emplace(std::move(reply)); }));
  });
  std::vector<protocol::About> abouts;
  abouts.reserve(replies.size());
  for (auto& reply : replies) abouts.push_back(TRY(std::move(*reply)));
  return common_faults(abouts);
}

Result<Fleet> start_local(const std::filesystem::path& run_directory) {
  Fleet fleet;
  const auto binary = TRY(fleet::find_agent_binary());
  fleet.embedded = TRY(fleet::Embedded::start(binary, run_directory));
  for (auto& agent : TRY(fleet::reach({fleet.embedded->address()}))) fleet.agents.emplace(agent->name(), agent);
  fleet.faults = TRY(ask_about(fleet.agents));
  return fleet;
}

Result<Fleet> reach_named(const AgentChoice& choice) {
  Fleet fleet;
  for (auto& agent : TRY(named_agents(choice))) fleet.agents.emplace(agent->name(), agent);
  fleet.faults = TRY(ask_about(fleet.agents));
  return fleet;
}

}  // namespace

Result<Brief> brief(const std::string& file, const AgentChoice& choice, const std::filesystem::path& run_directory) {
  if (!choice.agents.empty()) {
    Brief brief;
    brief.fleet = TRY(reach_named(choice));
    brief.file = load_spec(file, brief.fleet.faults);
    return brief;
  }
  Brief brief;
  brief.file = TRY(load_local_spec(file));
  if (brief.file.good() && !brief.file.experiment.timeline.empty()) brief.fleet = TRY(start_local(run_directory));
  return brief;
}

plan::Plan make_plan(const spec::Experiment& experiment, const Agents& agents, std::int64_t now, std::uint64_t fresh_seed) {
  const auto names = names_of(agents);
  std::vector<FoundByTarget> found(agents.size());
  side_by_side(agents, [&](std::size_t index, fleet::Agent& agent, fleet::Awaited& awaited) {
    resolve_all(experiment, agent, awaited, found[index]);
  });
  plan::Plan plan = plan::make(experiment, grouped(names, found), now, fresh_seed);
  for (std::size_t i = 0; i < found.size(); ++i)
    for (const auto& [target, one] : found[i])
      if (!one.problem.empty()) add_problems(names, i, {one.problem}, plan);
  std::vector<std::map<std::size_t, std::string>> problems(agents.size());
  std::vector<std::vector<std::string>> warnings(agents.size());
  side_by_side(agents, [&](std::size_t index, fleet::Agent& agent, fleet::Awaited& awaited) {
    const auto take = [&, index](const Result<protocol::StatusReply>& reply) { warnings[index] = left_overs(agent.name(), reply); };
    agent.status(awaited.then<protocol::StatusReply>(take));
    prepare_all(experiment.name, agent, awaited, plan.injections, problems[index]);
  });
  for (std::size_t i = 0; i < problems.size(); ++i)
    for (const auto& [injection, problem] : problems[i]) add_problems(names, i, {problem}, plan);
  for (const auto& of_agent : warnings) plan.warnings.insert(plan.warnings.end(), of_agent.begin(), of_agent.end());
  plan::check_claims(experiment.name, plan);
  return plan;
}

std::uint64_t fresh_seed() {
  std::random_device device;
  return (static_cast<std::uint64_t>(device()) << 32U) | device();
}

std::int64_t wall_clock_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch()).count();
}

}  // namespace arashi::engine
