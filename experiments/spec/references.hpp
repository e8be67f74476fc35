// What can only be told with the whole document in view: names that point elsewhere, and numbers that can't work together.
#pragma once

#include "experiments/spec/reader.hpp"

namespace arashi::spec {

void check_references(const Experiment& experiment, const std::vector<protocol::FaultText>& faults, Report& report);

}  // namespace arashi::spec
