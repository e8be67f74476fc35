// Who is to be hit: what a spec asks for (Selector), and what was found on one machine (Victim: an identity, not a name).
#pragma once

#include "injector/core/json_fwd.hpp"
#include "injector/core/keys.hpp"
#include "injector/core/result.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace arashi {

// kind process: name (comm or basename of argv[0]), pid, port (listening, in any namespace), user, netns, cgroup: all given are ANDed
// kind netns:   name (/run/netns/NAME), path, or pid; name may be a glob ("pay-ledger-*")
// kind cgroup:  path below the cgroup root ("system.slice/nginx.service"), globs allowed
// kind unit:    systemd unit name ("nginx.service"), globs allowed; found by its cgroup
// kind node:    nothing: the machine the agent runs on
struct Selector {
  std::string kind;
  std::map<std::string, std::string> match;
  bool operator==(const Selector&) const = default;
  static constexpr auto keys = std::tuple(key("kind", &Selector::kind), key("match", &Selector::match));
};

struct Victim {
  std::string kind;                    // the selector's kind
  std::string label;                   // for people and reports: "wallet (pid 4242)", "netns pay-ledger"
  std::int32_t pid = 0;                // process: leader; else 0
  std::uint64_t start_time = 0;        // process: clock ticks since boot, /proc/PID/stat field 22; with pid an identity
  std::uint64_t netns = 0;             // inode of its network namespace; 0 where it has none (a cgroup in several)
  std::string netns_path;              // file to enter it by: /proc/PID/ns/net or /run/netns/NAME
  std::uint64_t cgroup = 0;            // inode of its cgroup directory; 0 for netns and node
  std::string cgroup_path;             // absolute directory
  std::vector<std::string> addresses;  // v4 and v6 that reach its network namespace, filled when it is looked for; of use as peers
  Selector selector;                   // what found it; a repeated kill looks for the successor with it
  bool operator==(const Victim&) const = default;
  static constexpr auto keys =
      std::tuple(key("kind", &Victim::kind), key("label", &Victim::label), key("pid", &Victim::pid), key("startTime", &Victim::start_time),
                 key("netns", &Victim::netns), key("netnsPath", &Victim::netns_path), key("cgroup", &Victim::cgroup),
                 key("cgroupPath", &Victim::cgroup_path), key("addresses", &Victim::addresses), key("selector", &Victim::selector));
};

// The keys a kind may carry, for `check`, the schema and the docs.
struct SelectorKind {
  std::string_view kind, summary, example;
  std::vector<std::string_view> keys;
};
const std::vector<SelectorKind>& selector_kinds();

// Wrong kind or key, empty value, pid or port not a number: all problems, one line each; empty if none.
std::vector<std::string> check_selector(const Selector& selector);

void to_json(Json& json, const Selector& selector);
void from_json(const Json& json, Selector& selector);
void to_json(Json& json, const Victim& victim);
void from_json(const Json& json, Victim& victim);

}  // namespace arashi
