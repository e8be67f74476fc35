// A run's id, which is also what its leases and injections are held under on the agents: the experiment's name, "-" and eight characters.
#pragma once

#include <string>

namespace arashi::engine {

std::string new_run_name(const std::string& experiment);
// Whether `run` is that run itself or a run of the experiment of that name.
bool is_run_of(const std::string& run, const std::string& said);

}  // namespace arashi::engine
