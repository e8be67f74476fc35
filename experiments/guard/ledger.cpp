#include "experiments/guard/ledger.hpp"

#include "experiments/guard/budget.hpp"
#include "experiments/guard/fields.hpp"

#include <algorithm>
#include <cmath>

namespace arashi::guard {
namespace {

constexpr std::uint64_t format = 2;  // 1 had shares only

Account account_of(const SloTerms& slo, const SourceTerms& source, const Config& config) {
  Account account{.method = slo.method, .units = budget_units(slo, source), .rate = source.window_events / seconds(slo.window)};
  if (slo.method != Method::occurrences) account.slice = seconds(slo.slice);
  if (slo.method == Method::timeslices) account.slice_target = slo.slice_target;
  account.left = account.units * (1 - config.reserve) - source.window_bad;
  return account;
}

// Of slices some are bad as a whole, and the others have as many bad events as a good one may.
double outage_of_slices(const Account& account, double slices, double length) {
  const double bad = slices * account.slice;
  const double tolerated = account.method == Method::timeslices ? 1 - account.slice_target : 0;
  return bad + tolerated * std::max(length - bad, 0.0);
}

Promise promise_of(const SloTerms& slo, const SourceTerms& source, const Config& config, double share) {
  Promise promise{.budget = {}, .account = account_of(slo, source, config), .length = seconds(config.length + config.rollback)};
  const Account& account = promise.account;
  const double units = std::max(share, 0.0) * account.units;
  if (account.method == Method::occurrences) {
    promise.events = units;
    promise.outage = units / account.rate;
  } else {
    promise.slices = units;
    promise.outage = outage_of_slices(account, units, promise.length);
    promise.events = promise.outage * std::max(source.rate_most, account.rate);
  }
  return promise;
}

bool same_slices(const Account& a, const Account& b) {
  return a.method == b.method && std::fabs(a.slice - b.slice) < 1e-6 && std::fabs(a.slice_target - b.slice_target) < 1e-9;
}

// What a promise may cost somebody's budget, in that one's units. A slice needs a bad event to be bad, and lies in the experiment's time.
double cost(const Promise& promise, const Account& to) {
  if (to.method == Method::occurrences) return std::max(promise.events, promise.outage * to.rate);
  if (same_slices(promise.account, to)) return promise.slices;
  return std::min(promise.events, promise.length / to.slice + 2);
}

double cost(const Promises& run, const std::string& budget, const Account& to) {
  double most = 0;
  for (const Promise& promise : run.budgets)
    if (promise.budget == budget) most = std::max(most, cost(promise, to));
  return most;
}

double cost(const std::vector<Promises>& runs, const std::string& budget, const Account& to) {
  double sum = 0;
  for (const Promises& run : runs) sum += cost(run, budget, to);
  return sum;
}

}  // namespace

double promised(const std::vector<Promises>& others, const std::string& budget, const SloTerms& slo, const SourceTerms& source) {
  const Account mine = account_of(slo, source, {});
  return mine.units > 0 ? cost(others, budget, mine) / mine.units : 0;  // without events Guard::make refuses it
}

double bearable(const std::vector<Promises>& others, const std::string& budget, const SloTerms& slo, const SourceTerms& source,
                const Config& config) {
  const auto all_bear = [&](double share) {
    const Promise mine = promise_of(slo, source, config, share);
    for (const Promises& run : others)
      for (const Promise& theirs : run.budgets)
        if (theirs.budget == budget && !(cost(others, budget, theirs.account) + cost(mine, theirs.account) <= theirs.account.left))
          return false;
    return true;
  };
  double low = 0, high = config.budget;
  if (!(source.window_events > 0) || all_bear(high)) return high;
  for (int i = 0; i < 40; ++i) {
    const double middle = (low + high) / 2;
    (all_bear(middle) ? low : high) = middle;
  }
  return low;
}

Promises promises_of(const std::string& run, const Config& config, const std::vector<std::vector<std::string>>& budgets) {
  Promises promises{.run = run, .budgets = {}};
  for (std::size_t i = 0; i < std::min(config.slos.size(), budgets.size()); ++i) {
    const SloTerms& slo = config.slos[i];
    std::size_t next = 0;
    for (const SourceTerms& source : slo.sources) {
      if (!source.authoritative || next == budgets[i].size()) continue;
      promises.budgets.push_back(promise_of(slo, source, config, allowance(slo, source, config)));
      promises.budgets.back().budget = budgets[i][next++];
    }
  }
  return promises;
}

// ---- as text

namespace {

Json write_account(const Account& account) {
  return {{"method", std::string(name_of(account.method))},
          {"sliceSeconds", account.slice},
          {"sliceTarget", account.slice_target},
          {"units", account.units},
          {"left", account.left},
          {"rate", account.rate}};
}

Result<Account> read_account(const Json& json) {
  constexpr std::array methods{Method::occurrences, Method::timeslices, Method::ratio_timeslices};
  Account account;
  Fields fields(json);
  fields.read("method", account.method, methods);
  fields.read("sliceSeconds", account.slice);
  fields.read("sliceTarget", account.slice_target);
  fields.read("units", account.units);
  fields.read("left", account.left);
  fields.read("rate", account.rate);
  TRY(fields.result());
  const bool slices = account.method == Method::occurrences || account.slice > 0;
  if (!(account.units > 0 && account.rate > 0 && slices)) return fail(Blame::input, "units, rate and slices must be over 0");
  return account;
}

Json write_promise(const Promise& promise) {
  return {{"budget", promise.budget}, {"account", write_account(promise.account)},
          {"events", promise.events}, {"outageSeconds", promise.outage},
          {"slices", promise.slices}, {"lengthSeconds", promise.length}};
}

Result<Promise> read_promise(const Json& json) {
  Promise promise;
  Fields fields(json);
  fields.read("budget", promise.budget);
  fields.read("events", promise.events);
  fields.read("outageSeconds", promise.outage);
  fields.read("slices", promise.slices);
  fields.read("lengthSeconds", promise.length);
  const Json* account = fields.find("account");
  TRY(fields.result());
  for (const double amount : {promise.events, promise.outage, promise.slices, promise.length})
    if (!(amount >= 0)) return fail(Blame::input, "a promise of ", amount, ": must not be negative");
  promise.account = TRY(read_account(*account));
  return promise;
}

}  // namespace

Json to_json(const Promises& promises) {
  return {{"format", format}, {"run", promises.run}, {"budgets", list_of(promises.budgets, &write_promise)}};
}

Result<Promises> promises_from(const Json& json) {
  Promises promises;
  Fields fields(json);
  fields.read("run", promises.run);
  std::uint64_t written = 1;
  if (fields.has("format")) fields.read("format", written);
  if (fields.ok() && written != format)
    return fail(Blame::refused, "the promise of run '", promises.run, "' is of another version of Arashi (format ", written,
                written < format ? ", without its window" : "", "; this one reads ", format,
                "), so what it leaves of a budget is not known; wait until that run has ended");
  fields.read("budgets", promises.budgets, &read_promise);
  if (!fields.ok()) return because(fields.result().error(), "stored promise of a budget");
  return promises;
}

}  // namespace arashi::guard
