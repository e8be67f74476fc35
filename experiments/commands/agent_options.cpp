#include "experiments/commands/agent_options.hpp"

#include <CLI/CLI.hpp>

namespace arashi::commands {

void add_agent_options(CLI::App& command, AgentChoice& choice, Local local) {
  const std::string otherwise = local == Local::started ? "a local one is started" : "the one on this machine";
  command.add_option("--agents", choice.agents, "running agents, HOST:PORT or unix:PATH, separated by commas; none: " + otherwise)
      ->delimiter(',');
  command.add_option("--pki", choice.pki, "folder of ca.pem, cert.pem and key.pem, for agents over TCP (arashi pki makes it)");
}

void add_run_directory(CLI::App& command, AgentChoice& choice) {
  command.add_option("--run-dir", choice.run_directory, "where the local agent keeps its journal and socket")->capture_default_str();
}

}  // namespace arashi::commands
