// Which agents a job speaks to: those that are named, or the one on this machine.
#pragma once

#include "experiments/fleet/fleet.hpp"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace arashi::engine {

using AgentList = std::vector<std::shared_ptr<fleet::Agent>>;

struct AgentChoice {
  std::vector<std::string> agents;  // empty: the one on this machine
  std::string pki;                  // folder; needed for agents over TCP only
  std::string run_directory = "/run/arashi";
};

// The named ones in their order, which may be none; two of one name are refused. No agent is asked.
Result<AgentList> named_agents(const AgentChoice& choice);
// Where none is named, the one whose socket is in the run directory.
Result<AgentList> open_agents(const AgentChoice& choice);

// Calls `ask` for every agent at once and returns when all have answered; in the order of `agents`.
void ask_all(const AgentList& agents, const std::function<void(std::size_t, fleet::Agent&)>& ask);

}  // namespace arashi::engine
