#include "injector/host/strike.hpp"

#include "injector/host/cgroup.hpp"
#include "injector/host/proc.hpp"

#include <algorithm>

namespace arashi {

Result<std::vector<Identity>> processes_below(const Host& host, const std::filesystem::path& cgroup) {
  std::vector<Identity> found;
  for (const auto pid : TRY(pids_in_and_below(cgroup))) {
    if (pid == 1 || std::ranges::find(host.protected_pids, pid) != host.protected_pids.end())
      return fail(Blame::refused, "'", cgroup.string(), "' holds process ", pid, ", which is ", pid == 1 ? "init" : "the agent's own");
    const auto process = read_process(host, pid);
    if (process && !process->kernel_thread && process->state != 'Z') found.push_back({pid, process->start_time});
  }
  return found;
}

Result<Struck> strike(const Host& host, std::span<const Identity> victims, int signal, Duration patience) {
  Struck struck;
  std::vector<ProcessHandle> hit;
  for (const auto& victim : victims) {
    auto handle = ProcessHandle::open(host, victim.pid, victim.start_time);
    if (!handle && handle.error().blame == Blame::missing) continue;
    if (!handle) return pass(handle.error());
    const auto sent = handle->signal(signal);
    if (!sent && sent.error().blame == Blame::missing) continue;
    if (!sent) return because(sent.error(), "process ", victim.pid);
    ++struck.sent;
    hit.push_back(std::move(handle).value());
  }
  const auto deadline = boot_now() + patience;
  if (patience > Duration::zero())
    for (const auto& handle : hit) struck.ended += handle.ended(deadline) ? 1U : 0U;
  return struck;
}

Standing look_at(const Host& host, std::span<const Identity> victims) {
  Standing standing;
  for (const auto& victim : victims) {
    const auto process = read_process(host, victim.pid);
    if (!process || process->start_time != victim.start_time || process->state == 'Z' || process->state == 'X') continue;
    ++standing.alive;
    if (process->state == 'T') ++standing.stopped;
  }
  return standing;
}

}  // namespace arashi
