// What this agent's owner allows, whatever a runner asks. Read from a file once at start; pure after that.
#pragma once

#include "injector/core/result.hpp"
#include "injector/core/units.hpp"
#include "injector/core/victim.hpp"

#include <chrono>
#include <string>
#include <string_view>
#include <vector>

namespace arashi {

struct Policy {
  std::vector<std::string> allowed_faults = {"*"};  // globs, as all lists here
  std::vector<std::string> denied_faults;
  std::vector<std::string> protected_units = {"kubelet.service", "containerd.service",  "docker.service", "crio.service",
                                              "ssh.service",     "sshd.service",        "systemd-*",      "init.scope",
                                              "dbus.service",    "arashi-agent.service"};
  std::vector<std::string> protected_processes = {"systemd", "systemd-*", "init", "kubelet",      "containerd", "containerd-shim*",
                                                  "dockerd", "crio",      "sshd", "arashi-agent", "dbus-daemon"};
  std::vector<std::string> protected_cgroups;     // paths below the cgroup root; one also protects what is in it
  std::vector<std::string> protected_namespaces;  // names in /run/netns
  Duration longest_lease = std::chrono::seconds(60);
  Duration longest_duration = std::chrono::hours(1);
  std::size_t most_injections = 100;
};

// The victim as the agent itself found it, not as the request describes it.
struct Subject {
  std::string_view fault;
  Duration duration{};
  Victim victim;
  std::vector<std::string> processes;  // names of the processes that would be hit
  std::vector<std::string> cgroups;    // paths below the cgroup root: the victim's, and every one inside it
  std::string namespace_name;          // in /run/netns, if it has one
  bool holds_agent = false;            // one of the agent's own processes is among them
};

// Blame::refused with the rule that stands against it. `live` counts the injections alive now.
Result<void> check_policy(const Policy& policy, const Subject& subject, std::size_t live);

// JSON or YAML: an object of the fields above in camelCase (allowedFaults: [...], longestLease: 60s). What is left out keeps its default.
// Errors are Blame::input; a line for each mistake says `name`, line and column.
Result<Policy> parse_policy(const std::string& text, const std::string& name);

// `*` any run of characters, `?` any one.
bool matches_glob(std::string_view glob, std::string_view text);

}  // namespace arashi
