// What a run is to carry out, and with whom.
#pragma once

#include "experiments/fleet/fleet.hpp"
#include "experiments/spec/spec.hpp"

#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>

namespace arashi::engine {

using Agents = std::map<std::string, std::shared_ptr<fleet::Agent>>;  // by name

struct Job {
  spec::Experiment experiment;    // its windows settled
  std::string run;                // id: new_run_name()
  std::uint64_t seed = 0;         // draws the victims where the spec gives no seed
  std::filesystem::path budgets;  // where the runs of this machine write down what they may still spend
};

}  // namespace arashi::engine
