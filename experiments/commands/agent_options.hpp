// Which agents a command speaks to: --agents and --pki, or the one on this machine. No other file knows these options.
#pragma once

#include "experiments/fleet/fleet.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace CLI {
class App;
}

namespace arashi::commands {

using AgentList = std::vector<std::shared_ptr<fleet::Agent>>;

struct AgentOptions {
  std::vector<std::string> agents;  // empty: the one on this machine
  std::string pki;                  // folder; needed for agents over TCP only
  std::string run_directory = "/run/arashi";
};

enum class Local { running, started };  // without --agents: the agent that runs here, or one that is started for the command
void add_agent_options(CLI::App& command, AgentOptions& options, Local local);
void add_run_directory(CLI::App& command, AgentOptions& options);

// Those of --agents in their order, which may be none; two of one name are refused. No agent is asked.
Result<AgentList> named_agents(const AgentOptions& options);
// Without --agents the one whose socket is in the run directory.
Result<AgentList> open_agents(const AgentOptions& options);

// Calls `ask` for every agent at once and returns when all have answered; in the order of `agents`.
void ask_all(const AgentList& agents, const std::function<void(std::size_t, fleet::Agent&)>& ask);

}  // namespace arashi::commands
