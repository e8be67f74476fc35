// `arashi halt`: takes faults back at once, on every agent in parallel. Needs only the right to halt.
#include "experiments/commands/agent_options.hpp"
#include "experiments/commands/commands.hpp"
#include "experiments/engine/run_name.hpp"
#include "experiments/fleet/awaited.hpp"
#include "experiments/run/result.hpp"
#include "injector/core/json.hpp"

#include <CLI/CLI.hpp>

#include <memory>
#include <set>

namespace arashi::commands {

namespace {

struct HaltOptions {
  AgentChoice agents;
  std::string experiment;
  bool json = false;
};

struct Answer {
  std::string problem;
  std::vector<protocol::RevertOutcome> outcomes;
};

// All runs of the experiment that this agent knows of; none if it cannot be asked.
std::set<std::string> runs_of(const std::string& experiment, const Result<protocol::StatusReply>& status) {
  std::set<std::string> runs;
  if (!status) return runs;
  for (const auto& lease : status->leases)
    if (engine::is_run_of(lease, experiment)) runs.insert(lease);
  for (const auto& injection : status->injections)
    if (engine::is_run_of(injection.experiment, experiment)) runs.insert(injection.experiment);
  return runs;
}

void halt_runs(fleet::Agent& agent, const std::set<std::string>& runs, fleet::Awaited& awaited, Answer& answer) {
  for (const auto& run : runs)
    agent.halt({.experiment = run}, awaited.then<protocol::RevertReply>([&answer](Result<protocol::RevertReply> reply) {
      if (!reply) answer.problem = reply.error().message;
      if (reply) answer.outcomes.insert(answer.outcomes.end(), reply->outcomes.begin(), reply->outcomes.end());
    }));
}

// One agent: everything, or all runs of the experiment. A name that it does not know is sent as it is.
void halt_on(fleet::Agent& agent, const std::string& experiment, fleet::Awaited& awaited, Answer& answer) {
  if (experiment.empty()) return halt_runs(agent, {experiment}, awaited, answer);
  agent.status(awaited.then<protocol::StatusReply>([&](const Result<protocol::StatusReply>& status) {
    auto runs = runs_of(experiment, status);
    if (runs.empty()) runs.insert(experiment);
    halt_runs(agent, runs, awaited, answer);
  }));
}

std::vector<Answer> halt_on_all(const fleet::AgentList& agents, const std::string& experiment) {
  std::vector<Answer> answers(agents.size());
  fleet::Awaited awaited;
  for (std::size_t i = 0; i < agents.size(); ++i) halt_on(*agents[i], experiment, awaited, answers[i]);
  awaited.wait();
  return answers;
}

Json json_of(const std::string& agent, const Answer& answer) {
  Json outcomes = Json::array();
  for (const auto& one : answer.outcomes)
    outcomes.push_back(
        {{"id", one.id}, {"fault", one.fault}, {"step", name_of(one.step)}, {"problem", one.problem}, {"took", seconds(one.took)}});
  return {{"agent", agent}, {"problem", answer.problem}, {"reverted", std::move(outcomes)}};
}

std::string text_of(const std::string& agent, const Answer& answer) {
  if (answer.problem.empty() && answer.outcomes.empty()) return agent + ": nothing to revert\n";
  std::string text;
  for (const auto& one : answer.outcomes)
    text += agent + ": " + one.fault + " [" + one.id + "] " + std::string(name_of(one.step)) +
            (one.problem.empty() ? "" : ": " + one.problem) + "\n";
  return text;
}

int halt(const HaltOptions& options) {
  const auto agents = engine::open_agents(options.agents);
  if (!agents) return complain("halt", agents.error());
  const auto answers = halt_on_all(*agents, options.experiment);
  bool clean = true;
  Json list = Json::array();
  for (std::size_t i = 0; i < answers.size(); ++i) {
    const auto& answer = answers[i];
    for (const auto& one : answer.outcomes) clean = clean && one.step != Step::stuck;
    clean = clean && answer.problem.empty();
    if (!answer.problem.empty()) complain("halt", {answer.problem, Blame::system});
    list.push_back(json_of((*agents)[i]->name(), answer));
    if (!options.json) print(text_of((*agents)[i]->name(), answer));
  }
  if (options.json) print_json(list);
  return clean ? exit_ok : run::exit_code(run::Outcome::left_behind);
}

}  // namespace

void add_halt(CLI::App& app, int& exit_code) {
  auto* command = app.add_subcommand("halt", "revert all faults at once, on every agent");
  auto options = std::make_shared<HaltOptions>();
  command->add_option("experiment", options->experiment, "an experiment's name or a run's id; without it: everything");
  command->add_flag("--json", options->json, "print what was reverted as JSON");
  add_agent_options(*command, options->agents, Local::running);
  add_run_directory(*command, options->agents);
  command->footer(
      "Example:\n  arashi halt                                      everything on this machine\n"
      "  arashi halt checkout-survives-a-slow-ledger --agents 10.0.0.3,10.0.0.4 --pki pki/oncall\n"
      "Exit code 0: all reverted; 6: something may be left behind.");
  command->callback([options, &exit_code] { exit_code = halt(*options); });
}

}  // namespace arashi::commands
