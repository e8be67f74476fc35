// `arashi status`: what is active on the agents now.
#include "experiments/commands/agent_options.hpp"
#include "experiments/commands/commands.hpp"
#include "experiments/fleet/awaited.hpp"
#include "injector/core/json.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <array>
#include <memory>
#include <optional>

namespace arashi::commands {

namespace {

struct StatusOptions {
  AgentChoice agents;
  bool json = false, all = false;
};

using Row = std::array<std::string, 7>;

bool over(const protocol::InjectionStatus& one) { return is_over(one.step); }

std::string whole_seconds(Duration time) { return to_text(std::chrono::duration_cast<std::chrono::seconds>(time)); }

std::string why(const protocol::InjectionStatus& one) {
  if (!one.problem.empty()) return ": " + one.problem;
  return one.code == Code::none ? "" : " (" + std::string(name_of(one.code)) + ")";
}

Row row_of(const std::string& agent, const protocol::InjectionStatus& one) {
  const std::string left = over(one) ? "" : whole_seconds(std::max(one.left, Duration{}));
  return {agent, one.experiment,     one.fault + " [" + one.id + "]", one.victim.label, std::string(name_of(one.step)) + why(one),
          left,  one.evidence.detail};
}

std::string table(const std::vector<Row>& rows) {
  std::array<std::size_t, 7> widths{};
  for (const auto& row : rows)
    for (std::size_t i = 0; i < row.size(); ++i) widths.at(i) = std::max(widths.at(i), row.at(i).size());
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) line += row.at(i) + std::string(widths.at(i) - row.at(i).size() + 2, ' ');
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

void show(const std::vector<std::shared_ptr<fleet::Agent>>& agents, const std::vector<std::optional<protocol::StatusReply>>& replies,
          bool all) {
  std::vector<Row> rows{{"AGENT", "EXPERIMENT", "FAULT", "VICTIM", "STEP", "LEFT", "EVIDENCE"}};
  std::string leases;
  for (std::size_t i = 0; i < replies.size(); ++i) {
    if (!replies[i]) continue;
    for (const auto& one : replies[i]->injections)
      if (all || !over(one)) rows.push_back(row_of(agents[i]->name(), one));
    for (const auto& lease : replies[i]->leases) leases += agents[i]->name() + ": lease of " + lease + "\n";
  }
  print(rows.size() > 1 ? table(rows) : "no active faults\n");
  print(leases);
}

int status(const StatusOptions& options) {
  const auto agents = engine::open_agents(options.agents);
  if (!agents) return complain("status", agents.error());
  std::vector<std::optional<protocol::StatusReply>> replies(agents->size());
  std::vector<std::optional<Error>> problems(agents->size());
  fleet::Awaited awaited;
  for (std::size_t i = 0; i < agents->size(); ++i)
    (*agents)[i]->status(awaited.then<protocol::StatusReply>([&, i](Result<protocol::StatusReply> reply) {
      if (reply) replies[i] = std::move(*reply);
      if (!reply) problems[i] = reply.error();
    }));
  awaited.wait();
  int code = exit_ok;
  for (const auto& problem : problems)
    if (problem) code = complain("status", *problem);
  if (options.json) {
    Json list = Json::array();
    for (std::size_t i = 0; i < replies.size(); ++i) {
      Json entry = replies[i] ? Json(*replies[i]) : Json{{"problem", problems[i]->message}};
      entry["agent"] = (*agents)[i]->name();
      list.push_back(std::move(entry));
    }
    print_json(list);
  } else if (std::any_of(replies.begin(), replies.end(), [](const auto& reply) { return reply.has_value(); })) {
    show(*agents, replies, options.all);
  }
  return code;
}

}  // namespace

void add_status(CLI::App& app, int& exit_code) {
  auto* command = app.add_subcommand("status", "what is active on the agents now");
  auto options = std::make_shared<StatusOptions>();
  command->add_flag("--json", options->json, "print it as JSON, times in nanoseconds");
  command->add_flag("--all", options->all, "also what has ended");
  add_agent_options(*command, options->agents, Local::running);
  add_run_directory(*command, options->agents);
  command->footer("Example:\n  arashi status\n  arashi status --agents 10.0.0.3,10.0.0.4 --pki pki/oncall --json");
  command->callback([options, &exit_code] { exit_code = status(*options); });
}

}  // namespace arashi::commands
