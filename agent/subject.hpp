// Looks at what a victim is and holds, so that the policy judges the machine and not the request.
#pragma once

#include "agent/policy.hpp"
#include "injector/host/host.hpp"

namespace arashi {

// Fills processes, cgroups, namespace_name and holds_agent. Blame::input where the victim's paths lie outside of where such things are;
// Blame::missing where it is gone.
Result<Subject> look_at(const Host& host, std::string_view fault, const Victim& victim, Duration duration);

}  // namespace arashi
