// What somebody else does to a fault while it is active, and what must have become of it afterwards.
#pragma once

#include "injector/injection.hpp"
#include "tests/contract/stage.hpp"

#include <string>
#include <vector>

namespace arashi::testing {

// The scripts are for `sh -e` in the target's network namespace, with PID (the stage's process), CGROUP (its cgroup), WORKER (the fault's
// worker, if it has one), ID (the injection), PEER (the other namespace's name) and OTHER (a directory for what is somebody else's).
struct Drift {
  std::string what;
  std::string does;
  Step seen = Step::active;     // what the agent says of the fault then
  Step ended = Step::reverted;  // and after the revert
  std::string stands = "true";  // exits 0 as long as somebody else's change is there: before the revert and after it
  std::string takes_back = {};  // after which the machine is as it was before the fault
  bool for_good = false;        // nothing takes it back: the revert must then have changed nothing but what is Arashi's own
  bool passes_on = false;       // the fault is open: all packets to the peer get through, though it is not reverted
};

// A fault without any fails the test: whoever adds one says in drift.cpp what others may do to it.
std::vector<Drift> drifts_of(const Way& way, const std::string& mechanism);

}  // namespace arashi::testing
