// The record of one injected fault. It is in the journal before the first change and there until the change is undone.
#pragma once

#include "injector/core/evidence.hpp"
#include "injector/core/json.hpp"
#include "injector/core/keys.hpp"
#include "injector/core/units.hpp"
#include "injector/core/victim.hpp"

#include <optional>
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
Result<Step> step_named(std::string_view name);
template <>
struct AsText<Step> {
  static std::string print(Step step) { return std::string(name_of(step)); }
  static Result<Step> parse(std::string_view text) { return step_named(text); }
};
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

// A claim holds all below it: "netns:7/eth0/egress" also "netns:7/eth0/egress/system.slice".
bool claims_overlap(std::string_view one, std::string_view other);

// A record as it is in a journal. One that can't be read as a whole gives what can be: it is stuck, and `unread`.
Json record_of(const Injection& injection);
Injection injection_of(const Json& json);
Result<void> check_record(const Json& json);  // which key is wrong

}  // namespace arashi
