// A fault is three functions over one record, and a fourth that looks. Constant and stateless; one file each in faults/, made by make_fault
// (make_fault.hpp) out of functions over a struct of the fault's own.
#pragma once

#include "injector/core/claims.hpp"
#include "injector/core/evidence.hpp"
#include "injector/core/json.hpp"
#include "injector/core/params.hpp"
#include "injector/core/result.hpp"
#include "injector/core/scope.hpp"
#include "injector/core/victim.hpp"
#include "injector/host/host.hpp"

#include <span>
#include <string>
#include <string_view>

namespace arashi {

// One fault on one victim.
struct Request {
  std::string id;  // the injection's; every kernel object's name is derived from it
  std::string experiment;
  Victim victim;
  Json params;  // canonical (params.hpp)
  // Of the connection it was asked over: the runner's address, and the agent's that it reached. Empty over a unix socket.
  std::string runner_address = {}, agent_address = {};
  Duration duration{};  // how long it is meant to stay
};

// What prepare found out and decided, without changing anything.
template <class Change>
struct Prepared {
  Change change{};               // all that apply, observe and revert need; it goes into the journal
  Claims claims;                 // what it owns while it lives: "netns:4026531840/eth0/egress", "process:4242/99371"
  std::string mechanism;         // "bpf", "tap", "netem", "signal", "freezer v1"
  std::string because;           // why this mechanism: "this kernel has no sch_netem"
  std::string undo;              // in words: "remove the clsact filter on eth0"; or that it can't be undone
  bool outlives_reboot = false;  // then the record goes to the disk journal, with fdatasync, first
};
using PreparedRecord = Prepared<Json>;

struct Fault {
  std::string_view name, summary;
  std::span<const Param> params;
  std::span<const Scope> scopes;  // what it can act on
  bool reversible = true;
  bool slow_revert = false;      // revert runs someone else's program and may take seconds: it must not hold up other reverts
  std::string_view worker = {};  // the engine of the worker that holds it for as long as it is active, whatever its parameters; empty: none
  // None of these throws, whatever stands in the record.
  Result<PreparedRecord> (*prepare)(const Host&, const Request&) = nullptr;  // reads only
  // Whether this release can read the record, and which key is wrong if not. One that it cannot read is stuck, and never acted upon.
  Result<void> (*readable)(const Json& change) = nullptr;
  Result<Evidence> (*apply)(const Host&, const Json& change) = nullptr;  // changes, then reads back what it did
  Result<void> (*revert)(const Host&, const Json& change) = nullptr;     // twice, late, half-applied or never applied: still right
  // Reads the live counters of an applied fault. Blame::missing: it is gone, though nobody took it back. Any other error: it cannot be
  // read (now), so what was last known stands.
  Result<Evidence> (*observe)(const Host&, const Json& change) = nullptr;
  // What canonical parameters cannot mean on any machine, beyond what their table says; prepare refuses the same. Null: nothing. Peers are
  // not looked at, as some may still be names of targets.
  Result<void> (*check)(const Json& params) = nullptr;
};

// All faults, sorted by name; generated from the folder faults/ by CMake.
std::span<const Fault* const> all_faults();
const Fault* find_fault(std::string_view name);

}  // namespace arashi
