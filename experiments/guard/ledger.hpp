// Experiments that run at the same time spend of the same budgets: what each may still spend is promised to it, and is not there for the
// others. A share of one SLO's budget says nothing to another SLO over the same counts, whose window or objective differs; so a promise
// says what may fail at most, and each SLO works out what that is of its own budget.
// Accounting only; where the promises are kept, and whether whoever made one is still alive, is the caller's business.
#pragma once

#include "experiments/guard/guard.hpp"

namespace arashi::guard {

// An SLO's budget as its experiment saw it before it began.
struct Account {
  Method method = Method::occurrences;
  double slice = 0, slice_target = 0;  // seconds; of the methods with time slices
  double units = 0;                    // the whole: bad events, or bad time slices
  double left = 0;                     // of these: neither spent nor to be kept
  double rate = 0;                     // events a second, on the average
};

struct Promise {
  std::string budget;  // what is counted and where, whatever an experiment calls the SLO
  Account account;
  // At most so much may fail: events; the same as seconds in which everything fails, for of loads each counts its own requests only; slices
  // of the account's kind.
  double events = 0, outage = 0, slices = 0;
  double length = 0;  // seconds in which it may do harm
};

struct Promises {  // of one experiment
  std::string run;
  std::vector<Promise> budgets;
};

// What is promised of one budget, as a share of what an SLO that is measured by `source` has; of several promises of one run to one budget
// the largest counts. Time slices of the same kind are compared slice by slice. An SLO of slices to which something else was promised
// must think every slice bad that the other experiment touches.
double promised(const std::vector<Promises>& others, const std::string& budget, const SloTerms& slo, const SourceTerms& source);

// The share of its own budget, at most config.budget, that this SLO may be promised so that those of the others bear it: their budgets of
// the same counts may be smaller. 0: none.
double bearable(const std::vector<Promises>& others, const std::string& budget, const SloTerms& slo, const SourceTerms& source,
                const Config& config);

// What this experiment may spend at most, by the SLOs of a configuration whose `promised` and `bearable` are set. `budgets`: each SLO's, in
// order; one for each of its authoritative sources, in their order.
Promises promises_of(const std::string& run, const Config& config, const std::vector<std::vector<std::string>>& budgets);

Json to_json(const Promises& promises);
// Refuses what another version of Arashi wrote, in other terms.
Result<Promises> promises_from(const Json& json);

}  // namespace arashi::guard
