// Faults that a worker of ours holds for as long as they are there: such a fault is its declaration (what it needs, what its worker is
// told, what the evidence shows) and its worker. The record is what the worker is told, and names the injection: `id`.
#pragma once

#include "injector/host/netns.hpp"
#include "injector/host/worker_use.hpp"
#include "injector/make_fault.hpp"

namespace arashi {

namespace held {

template <class Evidence>
struct StatsOf;
template <class Change, class Stats>
struct StatsOf<Evidence (*)(const Change&, const Stats&)> {
  using type = Stats;
};

// A target that has gone is told as such, and not as a worker that failed.
template <class Change>
Result<void> must_be_there(const Host& host, const Change& change) {
  if constexpr (requires { change.netns; }) TRY(open_netns(host, change.netns));
  return {};
}

template <class Change>
Result<void> nothing_more(const Host& /*host*/, const Change& /*change*/) {
  return {};
}

}  // namespace held

// evidence_of: Evidence(const Change&, const Stats&). afterwards: Result<void>(const Host&, const Change&), what a revert does besides
// ending the worker. For a fault that is held by its worker only sometimes (`every`), these are for its own apply, revert and observe.
template <const WorkerUse& use, auto evidence_of, class Change>
Result<Evidence> apply_by_worker(const Host& host, const Change& change) {
  TRY(held::must_be_there(host, change));
  using Stats = typename held::StatsOf<decltype(evidence_of)>::type;
  return evidence_of(change, TRY(start_worker<Stats>(host, use, change.id, change)));
}

template <const WorkerUse& use, class Change, auto afterwards = held::nothing_more<Change>>
Result<void> revert_by_worker(const Host& host, const Change& change) {
  TRY(stop_processes(host, change.id, use.grace));
  return afterwards(host, change);
}

template <const WorkerUse& use, auto evidence_of, class Change>
Result<Evidence> observe_by_worker(const Host& host, const Change& change) {
  using Stats = typename held::StatsOf<decltype(evidence_of)>::type;
  return evidence_of(change, TRY(worker_stats<Stats>(host, use, change.id)));
}

template <const WorkerUse& use, auto prepare, auto evidence_of,
          auto afterwards = held::nothing_more<typename fault::ChangeOf<decltype(prepare)>::type>>
constexpr Fault make_fault_held_by_worker(Fault declared) {
  using Change = typename fault::ChangeOf<decltype(prepare)>::type;
  declared.worker = use.engine;
  return make_fault<prepare, apply_by_worker<use, evidence_of, Change>, revert_by_worker<use, Change, afterwards>,
                    observe_by_worker<use, evidence_of, Change>>(declared);
}

}  // namespace arashi
