#include "agent/recovery.hpp"

#include "agent/machine.hpp"
#include "agent/say.hpp"

#include <cstdio>

namespace arashi {

namespace {

// Asked by a person or a service manager: without a journal nothing is known, which is not the same as nothing being there.
bool has_no_journal(const Options& options) {
  std::error_code error;
  return options.copy_fd < 0 &&
         std::filesystem::symlink_status(options.run_dir / "journal", error).type() == std::filesystem::file_type::not_found;
}

}  // namespace

int run_recovery(const Options& options) {
  const bool knows_nothing = has_no_journal(options);
  const auto machine = Machine::open(options, nullptr);
  if (!machine) {
    say("recover", machine.error().message);
    return machine.error().blame == Blame::refused ? 3 : 6;
  }
  int code = knows_nothing ? 6 : 0;
  if (knows_nothing)
    say("recover", "there was no journal in '", options.run_dir.string(),
        "': no agent has run there since the boot, or its journal was removed, and what it left can't be known");
  if (const auto& problem = (*machine)->journals_problem(); !problem.empty()) say("recover", problem, "; going by the supervisor's copy");
  for (const auto& one : (*machine)->injector().recover()) {
    std::printf("%s %s: %s%s%s\n", one.id.c_str(), one.fault.c_str(), std::string(name_of(one.step)).c_str(),
                one.problem.empty() ? "" : ": ", one.problem.c_str());
    if (one.step == Step::stuck) code = 6;
  }
  for (const auto& damage : (*machine)->injector().damage()) {
    say("recover", damage, ": faults may be left behind that no record tells of");
    code = 6;
  }
  return code;
}

}  // namespace arashi
