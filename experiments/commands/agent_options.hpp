// --agents, --pki and --run-dir: which agents a command speaks to. No other file knows these options.
#pragma once

#include "experiments/engine/agents.hpp"

namespace CLI {
class App;
}

namespace arashi::commands {

using engine::AgentChoice;

enum class Local { running, started };  // without --agents: the agent that runs here, or one that is started for the command
void add_agent_options(CLI::App& command, AgentChoice& choice, Local local);
void add_run_directory(CLI::App& command, AgentChoice& choice);

}  // namespace arashi::commands
