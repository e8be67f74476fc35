// The engine behind a flapping network.down. A second process waits for the first one's end: whoever kills it while the device is down,
// the device comes up again.
#include "agent/workers/channel.hpp"
#include "agent/workers/worker_main.hpp"
#include "injector/faults/network_down.hpp"
#include "injector/host/files.hpp"
#include "injector/host/qdisc.hpp"

#include <sys/prctl.h>
#include <unistd.h>

#include <csignal>
#include <string>

namespace arashi::workers {

extern const Worker down_worker;

namespace {

using network_down::Change;
using network_down::Stats;

struct Tally {
  std::uint64_t falls = 0, missed = 0;
  Duration down{};  // of the falls that are over
  std::uint64_t over = 0;
};

Stats to_stats(const Tally& tally) {
  const auto mean = tally.over == 0 ? Duration{} : tally.down / static_cast<std::int64_t>(tally.over);
  return {.falls = tally.falls, .missed = tally.missed, .mean_down = mean};
}

// Reads its end of a pipe whose other end only this process has. Returns in this process.
Result<Fd> leave_a_guardian(const Change& config) {
  auto pipe = TRY(make_pipe());
  const auto pid = ::fork();
  if (pid < 0) return sys_fail("start the guardian of the device");
  if (pid > 0) return std::move(pipe.write);
  ::close(STDIN_FILENO);
  ::close(STDOUT_FILENO);
  pipe.write.reset();
  ::prctl(PR_SET_PDEATHSIG, 0);  // it is the one that outlives its parent, by a moment
  char ignored = 0;
  while (::read(pipe.read.get(), &ignored, 1) < 0 && errno == EINTR) continue;
  auto socket = socket_in(Host{}, config.netns);
  const bool done = socket && restore_device(*socket, config.state);
  ::_exit(done ? 0 : 1);
}

// False when the holder has let go.
bool fall(netlink::Socket& socket, const DeviceState& state, Duration length, Tally& tally) {
  const auto began = boot_now();
  const auto taken = set_link(socket, state.device, LinkState::down);
  taken ? ++tally.falls : ++tally.missed;
  const bool goes_on = Channel::wait_until(began + length);
  if (!restore_device(socket, state)) ++tally.missed;
  if (taken) tally.down += boot_now() - began;
  if (taken) ++tally.over;
  return goes_on;
}

Result<void> run(const Change& config) {
  const auto& state = config.state;
  auto socket = TRY(socket_in(Host{}, config.netns));
  const auto guarded = TRY(leave_a_guardian(config));
  TRY(set_link(socket, state.device, LinkState::down));
  Channel::ready(to_stats({.falls = 1}));
  Tally tally;
  Channel channel;
  for (auto next = boot_now();; next += config.every) {
    if (!Channel::wait_until(next) || !fall(socket, state, config.down_for, tally)) return {};
    channel.stats(to_stats(tally), boot_now());
  }
}

}  // namespace

const Worker down_worker = make_worker<run>("down");

}  // namespace arashi::workers
