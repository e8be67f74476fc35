// The record of one injected fault. It is in the journal before the first change and there until the change is undone.
#pragma once

#include "injector/core/claims.hpp"
#include "injector/core/evidence.hpp"
#include "injector/core/json.hpp"
#include "injector/core/keys.hpp"
#include "injector/core/step.hpp"
#include "injector/core/units.hpp"
#include "injector/core/victim.hpp"

#include <optional>
#include <string>

namespace arashi {

struct Injection {
  std::string id;  // core/id.hpp
  std::string experiment;
  std::string fault;
  Victim victim;
  Json params;
  Json change;
  Claims claims;
  std::string mechanism, because, undo;
  std::string boot;     // boot id of when it was made
  Duration made{};      // CLOCK_BOOTTIME
  Duration deadline{};  // CLOCK_BOOTTIME at which it ends whatever the runner says
  Step step = Step::intended;
  Evidence evidence;    // newest
  std::string problem;  // why lost, drifted or stuck
  bool outlives_reboot = false;
  bool applied = false;          // it was active once: its apply was carried out to the end
  std::string release;           // of the program that wrote it
  std::optional<Json> unread{};  // the whole record as it was found, where this release can't read it; it is kept as it is
  static constexpr auto keys = std::tuple(
      key("id", &Injection::id), key("experiment", &Injection::experiment), key("fault", &Injection::fault),
      key("victim", &Injection::victim), key("params", &Injection::params), key("change", &Injection::change),
      key("claims", &Injection::claims), key("mechanism", &Injection::mechanism), key("because", &Injection::because),
      key("undo", &Injection::undo), key("boot", &Injection::boot), key("made", &Injection::made), key("deadline", &Injection::deadline),
      key("step", &Injection::step), key("evidence", &Injection::evidence), key("problem", &Injection::problem),
      key("outlivesReboot", &Injection::outlives_reboot), key("applied", &Injection::applied), key("release", &Injection::release));
};

// A record as it is in a journal. One that can't be read as a whole gives what can be: it is stuck, and `unread`.
Json record_of(const Injection& injection);
Injection injection_of(const Json& json);
Result<void> check_record(const Json& json);  // which key is wrong

}  // namespace arashi
