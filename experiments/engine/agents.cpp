#include "experiments/engine/agents.hpp"

#include <set>
#include <thread>

namespace arashi::engine {

Result<AgentList> named_agents(const AgentChoice& choice) {
  AgentList agents;
  std::set<std::string> names;
  for (const auto& text : choice.agents) {
    auto agent = std::make_shared<fleet::Agent>(TRY(fleet::parse_address(text, choice.pki)));
    if (!names.insert(agent->name()).second) return fail(Blame::input, "--agents names '", text, "' twice: each agent once");
    agents.push_back(std::move(agent));
  }
  return agents;
}

Result<AgentList> open_agents(const AgentChoice& choice) {
  auto agents = TRY(named_agents(choice));
  if (!agents.empty()) return agents;
  auto address = TRY(fleet::parse_address("unix:" + choice.run_directory + "/agent.sock", choice.pki));
  address.name = "local";
  agents.push_back(std::make_shared<fleet::Agent>(std::move(address)));
  return agents;
}

void ask_all(const AgentList& agents, const std::function<void(std::size_t, fleet::Agent&)>& ask) {
  std::vector<std::thread> threads;
  threads.reserve(agents.size());
  for (std::size_t i = 0; i < agents.size(); ++i) threads.emplace_back([&, i] { ask(i, *agents[i]); });
  for (auto& thread : threads) thread.join();
}

}  // namespace arashi::engine
