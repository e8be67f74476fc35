#include "agent/workers/worker_main.hpp"

#include "agent/workers/channel.hpp"

#include <sys/prctl.h>

#include <algorithm>
#include <exception>

namespace arashi::workers {

namespace {

Result<void> run_engine(std::string_view name) {
  const auto found = std::ranges::find(all_workers(), name, &Worker::engine);
  if (found == all_workers().end()) return fail(Blame::input, "there is no worker engine '", name, "'");
  const auto config = TRY(Channel::read_config());
  try {
    return (*found)->run(config);
  } catch (const std::exception& error) {  // of a library; its holder must be told
    return fail(Blame::system, "worker ", name, ": unexpected: ", error.what());
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
