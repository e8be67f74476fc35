// An SLO's counts from a program of the user's that is run again and again.
#pragma once

#include "experiments/sli/sli.hpp"
#include "experiments/spec/sources/sources.hpp"

#include <memory>
#include <string>

namespace arashi::sli {

// The program runs in `directory`; it is ended after nine tenths of the period, with all it has started.
Result<std::unique_ptr<Source>> program(const spec::CommandSource& source, const std::string& directory, Duration epoch);

}  // namespace arashi::sli
