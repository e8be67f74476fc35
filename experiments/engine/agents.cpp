#include "experiments/engine/agents.hpp"

#include <set>

namespace arashi::engine {

Result<fleet::AgentList> named_agents(const AgentChoice& choice) {
  std::vector<fleet::Address> addresses;
  std::set<std::string> names;
  for (const auto& text : choice.agents) {
    addresses.push_back(TRY(fleet::parse_address(text, choice.pki)));
    if (!names.insert(addresses.back().name).second) return fail(Blame::input, "--agents names '", text, "' twice: each agent once");
  }
  return fleet::reach(std::move(addresses));
}

Result<fleet::AgentList> open_agents(const AgentChoice& choice) {
  auto agents = TRY(named_agents(choice));
  if (!agents.empty()) return agents;
  auto address = TRY(fleet::parse_address("unix:" + choice.run_directory + "/agent.sock", choice.pki));
  address.name = "local";
  return fleet::reach({std::move(address)});
}

}  // namespace arashi::engine
