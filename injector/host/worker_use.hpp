// A worker as whoever starts it sees it: what it is told and what it tells are structs, which meet JSON here.
#pragma once

#include "injector/core/record.hpp"
#include "injector/host/worker.hpp"

#include <string>
#include <string_view>

namespace arashi {

// How a fault uses its worker; one constant each.
struct WorkerUse {
  std::string_view engine;  // arashi-agent worker ENGINE
  Duration patience;        // for its start
  std::string_view ended;   // what is so when it has gone: "the worker that holds ports has ended: they are free again"
  Duration grace{};         // for what it does at its end
};

// Starts it, and gives what it told when it was ready.
template <class Stats, class Config>
Result<Stats> start_worker(const Host& host, const WorkerUse& use, std::string_view id, const Config& config) {
  if (host.workers == nullptr) return fail(Blame::system, "no worker processes can be started here");
  const auto ready = TRY(host.workers->start(id, use.engine, print_record(config), use.patience));
  return read_record<Stats>(ready, use.engine);
}

// What it told last, alive or not.
template <class Stats>
Result<Stats> last_stats(const Host& host, const WorkerUse& use, std::string_view id) {
  if (host.workers == nullptr) return fail(Blame::missing, use.ended);
  return read_record<Stats>(TRY(host.workers->stats(id)), use.engine);
}

// What it told last. Blame::missing when it has ended.
template <class Stats>
Result<Stats> worker_stats(const Host& host, const WorkerUse& use, std::string_view id) {
  if (host.workers == nullptr || !host.workers->state(id).alive) return fail(Blame::missing, use.ended);
  return last_stats<Stats>(host, use, id);
}

}  // namespace arashi
