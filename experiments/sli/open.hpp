// What a spec says of where an SLO's counts come from → a running source, and what its past says about the budget.
#pragma once

#include "experiments/sli/history.hpp"
#include "experiments/sli/sli.hpp"
#include "experiments/spec/spec.hpp"

#include <memory>
#include <optional>

namespace arashi::sli {

// The slices' times are since `epoch`; programs run in `directory`. Not for a load.
Result<std::unique_ptr<Source>> open(const spec::Measure& measure, const std::string& directory, Duration epoch);

// What the source itself remembers of the last `window`; nothing where it remembers none, or no event of that time. Blocks.
Result<std::optional<History>> remembered(const spec::Measure& measure, Duration window, const std::string& directory);

// Events of the SLO's window: from the source's own past, or where it has none from what it counts in the next seconds. Blocks.
Result<History> history(const spec::Measure& measure, Duration window, const std::string& directory);

}  // namespace arashi::sli
