// What tells one error budget from another, whatever name an experiment gives its SLO.
#pragma once

#include "experiments/spec/spec.hpp"

#include <string>
#include <vector>

namespace arashi::engine {

// One for each authoritative source: what is counted, and where. The same counts written in another way (blanks, quotes, the order of
// labels, of requests or of replicas, an address with or without its usual port) give the same name. That a load and a metric count the
// same requests, nobody can know.
std::vector<std::string> budgets_of(const spec::Slo& slo, const spec::Experiment& experiment);

}  // namespace arashi::engine
