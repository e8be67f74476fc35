// The record of one injected fault. It is in the journal before the first change and there until the change is undone.
#pragma once

#include "injector/core/evidence.hpp"
#include "injector/core/json.hpp"
#include "injector/core/units.hpp"
#include "injector/core/victim.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace arashi {

enum class Step {
  intended,  // journalled, nothing changed yet
  applying,
  active,  // its effect was read back
  lost,    // its worker or kernel object is gone though nobody took it back; it bites no longer
  reverting,
  reverted,  // the machine is as it was
  drifted,   // someone else changed what we had set; left as it is
  stuck,     // revert failed; tried again, and said loudest of all
};
std::string_view name_of(Step step);
bool is_over(Step step);  // reverted or drifted

struct Injection {
  std::string id;  // core/id.hpp
  std::string experiment;
  std::string fault;
  Victim victim;
  Json params;
  Json change;
  std::vector<std::string> claims;
  std::string mechanism, because, undo;
  std::string boot;     // boot id of when it was made
  Duration made{};      // CLOCK_BOOTTIME
  Duration deadline{};  // CLOCK_BOOTTIME at which it ends whatever the runner says
  Step step = Step::intended;
  Evidence evidence;    // newest
  std::string problem;  // why lost, drifted or stuck
  bool outlives_reboot = false;
};

// A claim holds all below it: "netns:7/eth0/egress" also "netns:7/eth0/egress/system.slice".
bool claims_overlap(std::string_view one, std::string_view other);

void to_json(Json& json, const Injection& injection);
void from_json(const Json& json, Injection& injection);

}  // namespace arashi
