// A fault's peers may be another target of the experiment: its victims' addresses take the name's place.
#pragma once

#include "experiments/plan/plan.hpp"

#include <string>
#include <vector>

namespace arashi::plan {

// Who is about to be hit: its own addresses are never its peers.
struct Subject {
  const Victim& victim;
  const std::string& agent;
};

// The step's canonical parameters for this victim, with addresses in the place of names. Fails, saying why, where a group has no
// address that is not the victim's own.
Result<Json> params_for(const spec::Step& step, const Subject& subject, const std::vector<Group>& groups);

}  // namespace arashi::plan
