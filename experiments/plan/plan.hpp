// Who exactly will be hit, how, and what it may cost at worst. Pure: victims and preparations are handed in.
#pragma once

#include "agent/protocol/protocol.hpp"
#include "experiments/spec/spec.hpp"
#include "injector/core/json.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace arashi::plan {

struct Group {  // a target, resolved
  std::string target;
  std::string agent;           // which agent found them (one machine: "local")
  std::vector<Victim> found;   // all that match
  std::vector<Victim> picked;  // those to be hit
  // With several agents: which of them found each of `found` and `picked`. Empty: all are on `agent`.
  std::vector<std::string> found_on, picked_on;
  std::uint64_t seed = 0;         // the one used
  bool hit = true;                // false: it is only named as peers of others
  bool looked_everywhere = true;  // false: an agent could not look, so "nothing found" would be no finding
};

struct Planned {         // one injection to come
  std::string id;        // core/id.hpp, drawn now
  std::size_t step = 0;  // index into timeline
  std::string agent, fault;
  Victim victim;
  Json params = Json::object();  // canonical
  Duration at{}, length{};
  protocol::PrepareReply how;  // filled from the agent's answer to /v1/prepare
};

struct Cost {  // if every request of the whole timeline were bad
  std::string slo;
  double budget_share = 0;  // of the whole window's budget; may exceed 1
  double stop_at = 0;       // the share at which the guard stops
  Duration until_stop{};    // how long a total outage takes to spend that much
};

struct Plan {
  std::vector<Group> groups;
  std::vector<Planned> injections;  // in order of time
  std::vector<Cost> worst_case;
  std::vector<std::string> refusals;  // limits broken, no victims, outside the window, two injections on one claim: nothing may start
  std::vector<std::string> warnings;
};

// Deterministic for a seed: sorts victims by label, then draws without replacement.
std::vector<Victim> pick(const std::vector<Victim>& found, const spec::Pick& how, std::uint64_t seed);

// `found` by target name. `now` is wall time (seconds since 1970), for limits.window. `fresh_seed` serves picks without one.
Plan make(const spec::Experiment& experiment, const std::map<std::string, Group>& found, std::int64_t now, std::uint64_t fresh_seed);

// Whether one may not begin before the other has ended: the agent's own rule.
bool share_a_claim(const Planned& one, const Planned& other);

// After the agents answered /v1/prepare for each injection: overlapping claims become refusals, what can't be undone a warning.
void check_claims(const std::string& experiment, Plan& plan);

Json to_json(const Plan& plan);

}  // namespace arashi::plan
