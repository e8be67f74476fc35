// `arashi doctor`: what this machine, or those of running agents, can do, and what to do about the rest.
#include "experiments/commands/agent_options.hpp"
#include "experiments/commands/commands.hpp"
#include "experiments/engine/planning.hpp"
#include "experiments/fleet/awaited.hpp"
#include "experiments/fleet/child.hpp"
#include "experiments/plan/text.hpp"
#include "injector/core/json.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <memory>

namespace arashi::commands {
namespace {

struct Options {
  AgentChoice fleet;
  bool json = false;
};

struct Machine {
  std::string name, kernel;
  std::vector<Capability> capabilities;
};

Result<Machine> ask_local() {
  const auto binary = TRY(fleet::find_agent_binary());
  const auto ended = TRY(fleet::run_program({.command = {binary.string(), "doctor", "--json"},
                                             .directory = {},
                                             .timeout = std::chrono::seconds(60),
                                             .largest_output = std::size_t{4} << 20U}));
  if (ended.timed_out || ended.exit != 0)
    return fail(Blame::system, "'", binary.string(), " doctor --json' ", ended.timed_out ? "did not end" : "failed", ": ", ended.errors);
  auto found = protocol::parse<std::vector<Capability>>(ended.output);
  if (!found) return because(found.error(), "'", binary.string(), " doctor --json' is not understood");
  return Machine{.name = "this machine", .kernel = {}, .capabilities = std::move(*found)};
}

Result<std::vector<Machine>> ask(const Options& options) {
  std::vector<Machine> machines;
  if (options.fleet.agents.empty()) {
    machines.push_back(TRY(ask_local()));
    return machines;
  }
  for (const auto& agent : TRY(engine::named_agents(options.fleet))) {
    const auto about = TRY(fleet::answer_of<protocol::About>([&](auto then) { agent->about(then); }));
    auto reply = TRY(fleet::answer_of<protocol::CapabilitiesReply>([&](auto then) { agent->capabilities(then); }));
    machines.push_back({agent->name() + " (" + about.node + ")", about.kernel, std::move(reply.capabilities)});
  }
  return machines;
}

std::string table(const Machine& machine) {
  std::size_t widest = 0;
  for (const auto& one : machine.capabilities) widest = std::max(widest, one.name.size());
  std::string text = machine.name + (machine.kernel.empty() ? "" : ", kernel " + machine.kernel) + "\n";
  std::size_t missing = 0;
  for (const auto& one : machine.capabilities) {
    std::string name = one.name;
    name.resize(widest, ' ');
    text += plan::wrapped((one.available ? "  yes  " : "  NO   ") + name + "  ", one.detail.empty() ? "-" : one.detail, widest + 9);
    if (!one.available && !one.remedy.empty()) text += plan::wrapped(std::string(widest + 9, ' ') + "to do: ", one.remedy, widest + 16);
    missing += one.available ? 0 : 1;
  }
  return text + (missing == 0 ? "All there.\n"
                              : std::to_string(missing) + " missing; arashi plan tells which of them a given experiment needs.\n");
}

Json json_of(const std::vector<Machine>& machines) {
  Json list = Json::array();
  for (const auto& machine : machines) {
    Json capabilities = Json::array();
    for (const auto& one : machine.capabilities) capabilities.push_back(one);
    list.push_back({{"machine", machine.name}, {"kernel", machine.kernel}, {"capabilities", capabilities}});
  }
  return list;
}

Result<int> show(const Options& options) {
  const auto machines = TRY(ask(options));
  if (options.json) print_json(json_of(machines));
  for (const auto& machine : machines)
    if (!options.json) print(table(machine));
  return exit_ok;
}

}  // namespace

void add_doctor(CLI::App& app, int& exit_code) {
  auto* command = app.add_subcommand("doctor", "what this machine can do, and what to do about the rest");
  auto options = std::make_shared<Options>();
  add_agent_options(*command, options->fleet, Local::started);
  command->add_flag("--json", options->json, "as JSON");
  command->footer("Example:\n  arashi doctor\n  arashi doctor --agents 10.0.0.3:7340,10.0.0.4:7340");
  command->callback([options, &exit_code] {
    const auto shown = show(*options);
    exit_code = shown ? *shown : complain("doctor", shown.error());
  });
}

}  // namespace arashi::commands
