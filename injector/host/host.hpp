// The machine as the faults see it: directory roots that tests replace, and what the agent knows of itself.
// The doors beside this file are free functions; those that read files take the root from here.
#pragma once

#include "injector/core/units.hpp"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

namespace arashi {

class Workers;  // worker.hpp

// What no network fault may touch: the agent's own port and the runners that speak with it.
struct ControlPath {
  std::uint16_t agent_port = 0;               // TCP port of the agent's API in the host's namespace; 0: unix socket only
  std::vector<std::string> runner_addresses;  // v4 or v6 literals
};

struct Host {
  std::filesystem::path proc = "/proc";
  std::filesystem::path cgroup = "/sys/fs/cgroup";
  std::filesystem::path netns = "/run/netns";
  std::filesystem::path run = "/run/arashi";        // journal of what a reboot clears; tmpfs
  std::filesystem::path state = "/var/lib/arashi";  // journal of what outlives a reboot
  std::filesystem::path self = "/proc/self/exe";    // the arashi-agent binary, which is also `arashi-agent worker …`
  ControlPath control;
  std::vector<std::int32_t> protected_pids;  // the agent's own processes: never targets
  Workers* workers = nullptr;                // starts worker processes; null in `recover` and in `plan`
};

}  // namespace arashi
