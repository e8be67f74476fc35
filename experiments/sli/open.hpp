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

// What a hosted service (Datadog, Mackerel, CloudWatch, New Relic) remembers, in time slices of this length; of other sources, and where it
// counts in longer stretches, nothing. Blocks: it is asked for 300 at a time.
Result<std::vector<guard::Slice>> remembered_slices(const spec::Measure& measure, Duration window, Duration slice,
                                                    const std::string& directory);

// Events of the SLO's window: from the source's own past, or where it has none from what it counts in the next seconds. Blocks.
Result<History> history(const spec::Measure& measure, Duration window, const std::string& directory);

}  // namespace arashi::sli
