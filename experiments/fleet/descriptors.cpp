#include "experiments/fleet/descriptors.hpp"

#include <sys/resource.h>

namespace arashi::fleet {
namespace {

constexpr rlim_t of_an_agent = 3;    // two warm connections, and one more while both are busy
constexpr rlim_t of_the_rest = 256;  // the run's folder, its sources and checks

}  // namespace

Result<void> make_room_for(std::size_t agents) {
  const rlim_t needed = of_the_rest + of_an_agent * agents;
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return sys_fail("read the limit of open files");
  if (limit.rlim_cur >= needed) return {};
  if (limit.rlim_max < needed)
    return fail(Blame::refused, agents, " agents need ", needed, " open files, and this process may have at most ", limit.rlim_max,
                ": raise its hard limit (`ulimit -Hn ", needed, "` in root's shell, LimitNOFILE=", needed, " in a systemd unit)");
  limit.rlim_cur = needed;
  if (::setrlimit(RLIMIT_NOFILE, &limit) != 0) return sys_fail("raise the limit of open files to ", needed);
  return {};
}

}  // namespace arashi::fleet
