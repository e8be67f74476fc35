#include "experiments/commands/agent_options.hpp"

#include <CLI/CLI.hpp>

#include <set>
#include <thread>

namespace arashi::commands {

void add_agent_options(CLI::App& command, AgentOptions& options) {
  command.add_option("--agents", options.agents, "agents to use, as HOST:PORT or unix:PATH, separated by commas")->delimiter(',');
  command.add_option("--pki", options.pki, "folder with ca.pem, cert.pem and key.pem (`arashi pki`) to reach them with");
  command.add_option("--run-dir", options.run_directory, "where the agent of this machine keeps its journal and socket")
      ->capture_default_str();
}

Result<std::vector<std::shared_ptr<fleet::Agent>>> open_agents(const AgentOptions& options) {
  std::vector<std::string> texts = options.agents;
  if (texts.empty()) texts.push_back("unix:" + options.run_directory + "/agent.sock");
  std::vector<std::shared_ptr<fleet::Agent>> agents;
  std::set<std::string> names;
  for (const auto& text : texts) {
    auto address = TRY(fleet::parse_address(text, options.pki));
    if (options.agents.empty()) address.name = "local";
    if (!names.insert(address.name).second) return fail(Blame::input, "agent ", address.name, " is given twice");
    agents.push_back(std::make_shared<fleet::Agent>(std::move(address)));
  }
  return agents;
}

void ask_all(const std::vector<std::shared_ptr<fleet::Agent>>& agents, const std::function<void(std::size_t, fleet::Agent&)>& ask) {
  std::vector<std::thread> threads;
  threads.reserve(agents.size());
  for (std::size_t i = 0; i < agents.size(); ++i) threads.emplace_back([&, i] { ask(i, *agents[i]); });
  for (auto& thread : threads) thread.join();
}

}  // namespace arashi::commands
