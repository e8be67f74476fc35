// What a run is to carry out, and with whom.
#pragma once

#include "experiments/fleet/fleet.hpp"
#include "experiments/spec/spec.hpp"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>

namespace arashi::engine {

using Agents = std::map<std::string, std::shared_ptr<fleet::Agent>>;  // by name

// An agent that was started for this run. When it is dead, nobody but us takes back what it held.
struct Started {
  std::function<bool()> ended;            // without waiting; of its supervisor, so all that was below it has ended or is about to
  std::function<Result<void>()> recover;  // takes back what its journal holds; blocks, may outlive the run
};

struct Job {
  spec::Experiment experiment;                  // its windows settled
  std::string run;                              // id: new_run_name()
  std::uint64_t seed = 0;                       // draws the victims where the spec gives no seed
  std::filesystem::path budgets;                // where the runs of this machine write down what they may still spend
  std::map<std::string, Started> started = {};  // those of the agents that this run has started; all outlive it
};

}  // namespace arashi::engine
