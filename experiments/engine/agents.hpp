// Which agents a job speaks to: those that are named, or the one on this machine.
#pragma once

#include "experiments/fleet/fleet.hpp"

#include <string>
#include <vector>

namespace arashi::engine {

struct AgentChoice {
  std::vector<std::string> agents;  // empty: the one on this machine
  std::string pki;                  // folder; needed for agents over TCP only
  std::string run_directory = "/run/arashi";
};

// The named ones in their order, which may be none; two of one name are refused. No agent is asked.
Result<fleet::AgentList> named_agents(const AgentChoice& choice);
// Where none is named, the one whose socket is in the run directory.
Result<fleet::AgentList> open_agents(const AgentChoice& choice);

}  // namespace arashi::engine
