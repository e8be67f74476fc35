// The plan for people: who, how, how it is undone, what it may cost. At most 100 columns.
#pragma once

#include "experiments/plan/plan.hpp"

#include <string>
#include <vector>

namespace arashi::plan {

// `faults` gives the parameters their units back.
std::string to_text(const spec::Experiment& experiment, const Plan& plan, const std::vector<protocol::FaultText>& faults);

// Breaks at spaces; lines after the first begin with `indent` blanks. Words that are too long stay whole.
std::string wrapped(const std::string& first, const std::string& text, std::size_t indent, std::size_t columns = 100);

}  // namespace arashi::plan
