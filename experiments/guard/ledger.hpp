// Experiments that run at the same time spend of the same budgets: what each may still spend is promised to it, and is not there for the
// others. Accounting only; where the promises are kept, and whether whoever made one is still alive, is the caller's business.
#pragma once

#include "experiments/guard/guard.hpp"

namespace arashi::guard {

struct Promise {
  std::string budget;  // what identifies it, whatever an experiment calls the SLO
  double share = 0;    // of the whole budget
};

struct Promises {  // of one experiment
  std::string run;
  std::vector<Promise> budgets;
};

// What is promised of one budget; of several promises of one run to one budget the largest counts.
double promised(const std::vector<Promises>& others, const std::string& budget);

// What this experiment may spend at most, by the SLOs of a configuration whose `promised` is set. `budgets`: each SLO's, in order; one for
// each of its authoritative sources.
Promises promises_of(const std::string& run, const Config& config, const std::vector<std::vector<std::string>>& budgets);

Json to_json(const Promises& promises);
Result<Promises> promises_from(const Json& json);

}  // namespace arashi::guard
