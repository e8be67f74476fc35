// From a spec to a plan with the agents' answers: what `arashi plan` prints and `arashi run` carries out.
#pragma once

#include "experiments/engine/agents.hpp"
#include "experiments/engine/job.hpp"
#include "experiments/engine/spec_file.hpp"
#include "experiments/fleet/fleet.hpp"
#include "experiments/plan/plan.hpp"

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace arashi::engine {

// The agents of one command. A local one is started when none is named, and ends with this.
struct Fleet {
  std::optional<fleet::Embedded> embedded;
  Agents agents;
  std::vector<protocol::FaultText> faults;  // what all of them offer
};

// A spec, and the agents for it, all of which have answered /v1/about; none for a bad spec.
struct Brief {
  SpecFile file;
  Fleet fleet;
};
// Where no agents are named, the spec is read first: a bad one starts no local agent, and one without a timeline needs none.
// `run_directory` is for the local agent.
Result<Brief> brief(const std::string& file, const AgentChoice& choice, const std::filesystem::path& run_directory);

// Asks all agents, side by side, for the targets' victims; plans; asks them to prepare each injection. Reads only. What an agent refuses
// or cannot answer is a refusal of the plan. `now`: seconds since 1970.
plan::Plan make_plan(const spec::Experiment& experiment, const Agents& agents, std::int64_t now, std::uint64_t fresh_seed);

std::uint64_t fresh_seed();
std::int64_t wall_clock_seconds();

}  // namespace arashi::engine
