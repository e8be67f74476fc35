// What the agent has done, in Prometheus' text format (version 0.0.4). Pure.
#pragma once

#include "injector/injection.hpp"
#include "injector/injector.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace arashi {

// Tally since this injector process started. Not thread-safe: its owner locks.
struct Tally {
  std::map<std::string, std::uint64_t> injections;  // by outcome: "active", "failed", "refused"
  std::map<std::string, std::uint64_t> reverts;     // by how they ended: "reverted", "drifted", "stuck"
  std::uint64_t leases_opened = 0, leases_expired = 0, halts = 0;

  void count(const std::vector<Reverted>& reverted);
};

struct Gauges {
  std::vector<Injection> injections;  // all that are not over
  std::size_t leases = 0;
  std::string release, node;
};

std::string metrics_text(const Tally& counters, const Gauges& gauges);

}  // namespace arashi
