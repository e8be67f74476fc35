// Who is to be hit: what a spec asks for (Selector), and what was found on one machine (Victim: an identity, not a name).
#pragma once

#include "injector/core/json.hpp"
#include "injector/core/keys.hpp"
#include "injector/core/result.hpp"
#include "injector/core/scope.hpp"

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
  std::string kind;  // kinds.hpp
  // What is asked for, as in the spec: an object whose values are texts, or where the kind says so mappings and lists. Scalars are texts.
  Json match = Json::object();

  [[nodiscard]] bool has(std::string_view key) const;
  [[nodiscard]] const std::string* text(std::string_view key) const;                    // null: not given, or no text
  [[nodiscard]] std::map<std::string, std::string> labels(std::string_view key) const;  // empty: not given
  [[nodiscard]] const Json* list(std::string_view key) const;                           // null: not given, or no list
  bool operator==(const Selector& other) const;

  // What in `match` has a form that no key of any kind has: "match", "match.labels.app"; "": nothing.
  [[nodiscard]] std::string mistyped_key() const;
  static constexpr std::string_view wanted = "a text, a mapping of texts, or a list of such";
  static constexpr auto keys = std::tuple(key("kind", &Selector::kind), key("match", &Selector::match));
};

struct Victim {
  std::string kind;                    // the selector's kind: what it is called
  Scope scope = Scope::node;           // what can be acted on
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
      std::tuple(key("kind", &Victim::kind), key("scope", &Victim::scope), key("label", &Victim::label), key("pid", &Victim::pid),
                 key("startTime", &Victim::start_time), key("netns", &Victim::netns), key("netnsPath", &Victim::netns_path),
                 key("cgroup", &Victim::cgroup), key("cgroupPath", &Victim::cgroup_path), key("addresses", &Victim::addresses),
                 key("selector", &Victim::selector));
};

// Wrong kind or key, empty value, pid or port not a number: all problems, one line each; empty if none.
std::vector<std::string> check_selector(const Selector& selector);

void to_json(Json& json, const Selector& selector);
void from_json(const Json& json, Selector& selector);
void to_json(Json& json, const Victim& victim);
void from_json(const Json& json, Victim& victim);

}  // namespace arashi
