// Processes, read from /proc, and signals by identity: pid and start time, never a number that may have got a new owner.
#pragma once

#include "injector/core/fd.hpp"
#include "injector/core/result.hpp"
#include "injector/core/units.hpp"
#include "injector/host/host.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace arashi {

struct Process {
  std::int32_t pid = 0, parent = 0;
  char state = '?';              // proc(5): R S D T Z …
  std::uint64_t start_time = 0;  // clock ticks since boot; with pid an identity
  std::string name;              // comm, at most 15 bytes
  bool kernel_thread = false;
};

// Blame::missing when there is none.
Result<Process> read_process(const Host& host, std::int32_t pid);
// In ascending order; those that end meanwhile are left out.
std::vector<std::int32_t> all_pids(const Host& host);
// argv; empty for kernel threads and zombies.
Result<std::vector<std::string>> command_line(const Host& host, std::int32_t pid);
Result<std::uint32_t> user_of(const Host& host, std::int32_t pid);  // the effective uid
Result<std::uint64_t> netns_of(const Host& host, std::int32_t pid);

// Comm, or the last part of argv[0]'s path ("nginx: worker process" is "nginx:" there, so its first word without the colon fits too).
bool has_name(const Host& host, const Process& process, const std::string& name);

// One membership per hierarchy, as /proc/PID/cgroup tells: path as seen from the hierarchy's root.
struct Membership {
  std::string controllers;  // "" for v2; "freezer", "name=systemd" and so on
  std::string path;         // "/system.slice/nginx.service"
};
Result<std::vector<Membership>> memberships(const Host& host, std::int32_t pid);

// The processes that listen on this TCP port, over IPv4 or IPv6, in any network namespace; ascending.
Result<std::vector<std::int32_t>> listeners(const Host& host, std::uint16_t port);

// Where these processes are served: the ports of their listening TCP sockets and of all their UDP sockets, over IPv4 or IPv6. Those of one
// namespace: the first one's that is still there.
struct ServedPort {
  std::uint8_t protocol = 0;  // IPPROTO_TCP or IPPROTO_UDP
  std::uint16_t port = 0;
  auto operator<=>(const ServedPort&) const = default;
};
std::vector<ServedPort> served_ports(const Host& host, const std::vector<std::int32_t>& pids);

// Holds one process by its identity.
class ProcessHandle {
 public:
  // Blame::missing when it has ended or its number belongs to another one now.
  static Result<ProcessHandle> open(const Host& host, std::int32_t pid, std::uint64_t start_time);
  [[nodiscard]] Result<void> signal(int number) const;               // Blame::missing when it has ended
  [[nodiscard]] bool ended(std::optional<Duration> deadline) const;  // waits until then (boot_now's clock); absent: does not wait
 private:
  explicit ProcessHandle(Fd pidfd) : pidfd_(std::move(pidfd)) {}
  Fd pidfd_;
};

}  // namespace arashi
