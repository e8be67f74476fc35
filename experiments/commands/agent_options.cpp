#include "experiments/commands/agent_options.hpp"

#include <CLI/CLI.hpp>

#include <set>
#include <thread>

namespace arashi::commands {

void add_agent_options(CLI::App& command, AgentOptions& options, Local local) {
  const std::string otherwise = local == Local::started ? "a local one is started" : "the one on this machine";
  command.add_option("--agents", options.agents, "running agents, HOST:PORT or unix:PATH, separated by commas; none: " + otherwise)
      ->delimiter(',');
  command.add_option("--pki", options.pki, "folder of ca.pem, cert.pem and key.pem, for agents over TCP (arashi pki makes it)");
}

void add_run_directory(CLI::App& command, AgentOptions& options) {
  command.add_option("--run-dir", options.run_directory, "where the local agent keeps its journal and socket")->capture_default_str();
}

Result<AgentList> named_agents(const AgentOptions& options) {
  AgentList agents;
  std::set<std::string> names;
  for (const auto& text : options.agents) {
    auto agent = std::make_shared<fleet::Agent>(TRY(fleet::parse_address(text, options.pki)));
    if (!names.insert(agent->name()).second) return fail(Blame::input, "--agents names '", text, "' twice: each agent once");
    agents.push_back(std::move(agent));
  }
  return agents;
}

Result<AgentList> open_agents(const AgentOptions& options) {
  auto agents = TRY(named_agents(options));
  if (!agents.empty()) return agents;
  auto address = TRY(fleet::parse_address("unix:" + options.run_directory + "/agent.sock", options.pki));
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

}  // namespace arashi::commands
