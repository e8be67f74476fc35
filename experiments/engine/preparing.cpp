// What must be known before anything may start. Both ask the world for up to half a minute, side by side and beside the loop.
#include "experiments/engine/guard_terms.hpp"
#include "experiments/engine/hands.hpp"
#include "experiments/engine/planning.hpp"
#include "experiments/sli/open.hpp"

namespace arashi::engine {

void Hands::carry(const run::MakePlan& /*command*/) {
  aside([experiment = job_.experiment, agents = agents_, seed = job_.seed](Shared& shared) {
    shared.inbox->put(run::Planned{make_plan(experiment, agents, wall_clock_seconds(), seed)});
  });
}

// What could never work, or has nothing left to spend, is said before anything is touched.
void Hands::carry(const run::ReadPast& /*command*/) {
  aside([job = job_](Shared& shared) {
    auto config = guard_config(job.experiment);
    if (!config) return shared.inbox->put(run::NotPrepared{config.error()});
    auto ledger = BudgetLedger::enter(job.budgets, job.run, job.experiment, *config);
    if (!ledger) return shared.inbox->put(run::NotPrepared{ledger.error()});
    {
      const std::lock_guard lock(shared.mutex);
      shared.ledger.emplace(std::move(*ledger));
    }
    shared.inbox->put(run::PastRead{std::move(*config)});
  });
}

void Hands::carry(const run::OpenSources& /*command*/) {
  if (const auto opened = open_sources(); !opened) shared_->inbox->put(run::NotPrepared{opened.error()});
}

Result<void> Hands::open_sources() {
  for (std::size_t i = 0; i < job_.experiment.slos.size(); ++i) {
    const auto& slo = job_.experiment.slos[i];
    for (std::size_t j = 0; j < slo.measures.size(); ++j) {
      if (!slo.measures[j].load.empty()) continue;
      auto source = sli::open(slo.measures[j], job_.experiment.directory, epoch_);
      if (!source) return because(source.error(), "SLO '", slo.name, "'");
      sources_.emplace_back(Place{i, j}, std::move(*source));
    }
  }
  return {};
}

}  // namespace arashi::engine
