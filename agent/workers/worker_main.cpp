#include "agent/workers/worker_main.hpp"

#include "agent/workers/channel.hpp"
#include "injector/core/json.hpp"

#include <sys/prctl.h>

#include <algorithm>
#include <array>

namespace arashi::workers {

namespace {

struct Named {
  std::string_view name;
  Engine run;
};
constexpr std::array engines{Named{"conntrack", run_conntrack}, Named{"dns", run_dns},     Named{"down", run_down},
                             Named{"kill", run_kill},           Named{"names", run_names}, Named{"netem-ramp", run_netem_ramp},
                             Named{"ports", run_ports},         Named{"reset", run_reset}, Named{"tap", run_tap}};

Result<void> run_engine(std::string_view name) {
  const auto found = std::ranges::find(engines, name, &Named::name);
  if (found == engines.end()) return fail(Blame::input, "there is no worker engine '", name, "'");
  const auto config = TRY(Channel::read_config());
  try {
    return found->run(config);
  } catch (const Json::exception& error) {  // a configuration without what the engine needs
    return fail(Blame::input, "the configuration of worker ", name, " is wrong: ", error.what());
  }
}

}  // namespace

int run_worker(std::string_view engine) {
  ::prctl(PR_SET_NAME, "arashi-worker");  // started by /proc/self/exe it would be called "exe"
  const auto done = run_engine(engine);
  if (done) return 0;
  Channel::problem(done.error().message);
  return 1;
}

}  // namespace arashi::workers
