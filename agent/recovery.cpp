#include "agent/recovery.hpp"

#include "agent/machine.hpp"
#include "agent/say.hpp"

#include <cstdio>

namespace arashi {

int run_recovery(const Options& options) {
  const auto machine = Machine::open(options, nullptr);
  if (!machine) {
    say("recover", machine.error().message);
    return machine.error().blame == Blame::refused ? 3 : 6;
  }
  int code = 0;
  for (const auto& one : (*machine)->injector().recover()) {
    std::printf("%s %s: %s%s%s\n", one.id.c_str(), one.fault.c_str(), std::string(name_of(one.step)).c_str(),
                one.problem.empty() ? "" : ": ", one.problem.c_str());
    if (one.step == Step::stuck) code = 6;
  }
  return code;
}

}  // namespace arashi
