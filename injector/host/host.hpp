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

class ClassifierStock;  // classifier_stock.hpp
class SocketShelf;      // socket_shelf.hpp
class Workers;          // worker.hpp

// What no network fault may touch. TCP with the agent's port is never hit: at home, in the agent's own namespace, whichever side has that
// port (a runner there speaks with other agents as well), elsewhere when the far side has it. Everything else between the same two
// machines, a runner's load above all, is traffic like any other.
struct ControlPath {
  std::uint16_t agent_port = 0;               // TCP port of the agent's API in the host's namespace; 0: unix socket only
  std::vector<std::string> runner_addresses;  // of who asks, as the agent sees them; v4 or v6 literals. Never peers of a fault
  std::vector<std::string> agent_addresses;   // at which they reached the agent. Never peers either
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
  ClassifierStock* classifiers = nullptr;    // BPF programs loaded ahead; null: each is loaded when it is needed
  bool applied = false;                      // of the injection that is reverted: the journal says that it was active
  SocketShelf* sockets = nullptr;            // of one injection; null: a namespace is entered for each socket
  Workers* workers = nullptr;                // starts worker processes; null in `recover` and in `plan`
};

}  // namespace arashi
