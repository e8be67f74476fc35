// Which agents a command speaks to: --agents and --pki, or the one on this machine.
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

struct AgentOptions {
  std::vector<std::string> agents;  // empty: the one on this machine
  std::string pki;
  std::string run_directory = "/run/arashi";
};

void add_agent_options(CLI::App& command, AgentOptions& options);

// Those of --agents; without it the one whose socket is in the run directory. Two of one name are refused.
Result<std::vector<std::shared_ptr<fleet::Agent>>> open_agents(const AgentOptions& options);

// Calls `ask` for every agent at once and returns when all have answered; in the order of `agents`.
void ask_all(const std::vector<std::shared_ptr<fleet::Agent>>& agents, const std::function<void(std::size_t, fleet::Agent&)>& ask);

}  // namespace arashi::commands
