// Where a network fault goes: from a victim and its parameters to namespace, devices and traffic, with what must never be cut.
#pragma once

#include "injector/core/json_fwd.hpp"
#include "injector/core/victim.hpp"
#include "injector/host/impairment.hpp"

#include <string>

namespace arashi {

// Everything of an Impairment but its effects. Refuses what could not bite (no such device, no route to a peer, a v6 peer where there is no
// v6), what would hit more than the victim (a process that shares this machine's own namespace), and what would cut the control path.
Result<Impairment> place_impairment(const Host& host, const std::string& id, const Victim& victim, const Json& params);

}  // namespace arashi
