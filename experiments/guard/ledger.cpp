#include "experiments/guard/ledger.hpp"

#include "experiments/guard/fields.hpp"

#include <algorithm>

namespace arashi::guard {
namespace {

Json write_promise(const Promise& promise) { return {{"budget", promise.budget}, {"share", promise.share}}; }

Result<Promise> read_promise(const Json& json) {
  Promise promise;
  Fields fields(json);
  fields.read("budget", promise.budget);
  fields.read("share", promise.share);
  TRY(fields.result());
  return promise;
}

}  // namespace

double promised(const std::vector<Promises>& others, const std::string& budget) {
  double sum = 0;
  for (const Promises& other : others) {
    double most = 0;
    for (const Promise& promise : other.budgets)
      if (promise.budget == budget) most = std::max(most, promise.share);
    sum += most;
  }
  return sum;
}

Promises promises_of(const std::string& run, const Config& config, const std::vector<std::vector<std::string>>& budgets) {
  Promises promises{.run = run, .budgets = {}};
  for (std::size_t i = 0; i < std::min(config.slos.size(), budgets.size()); ++i) {
    double most = 0;
    for (const SourceTerms& source : config.slos[i].sources) most = std::max(most, allowance(config.slos[i], source, config));
    for (const std::string& budget : budgets[i]) promises.budgets.push_back({.budget = budget, .share = most});
  }
  return promises;
}

Json to_json(const Promises& promises) { return {{"run", promises.run}, {"budgets", list_of(promises.budgets, &write_promise)}}; }

Result<Promises> promises_from(const Json& json) {
  Promises promises;
  Fields fields(json);
  fields.read("run", promises.run);
  fields.read("budgets", promises.budgets, &read_promise);
  if (!fields.ok()) return because(fields.result().error(), "stored promise of a budget");
  return promises;
}

}  // namespace arashi::guard
