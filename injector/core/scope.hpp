// What a fault can act on. What a victim is called (its kind: process, unit, pod, …) is another matter: see victim.hpp.
#pragma once

#include "injector/core/keys.hpp"
#include "injector/core/result.hpp"

#include <array>
#include <optional>
#include <string>
#include <string_view>

namespace arashi {

enum class Scope {
  node,     // the machine itself
  netns,    // all of a network namespace
  cgroup,   // the processes of a cgroup, and their network
  process,  // one process, and its network
};

struct ScopeName {
  Scope scope;
  std::string_view name;
};
inline constexpr std::array scope_names{ScopeName{Scope::node, "node"}, ScopeName{Scope::netns, "netns"},
                                        ScopeName{Scope::cgroup, "cgroup"}, ScopeName{Scope::process, "process"}};

constexpr std::string_view name_of(Scope scope) {
  for (const auto& one : scope_names)
    if (one.scope == scope) return one.name;
  return "?";
}
constexpr std::optional<Scope> scope_from(std::string_view name) {
  for (const auto& one : scope_names)
    if (one.name == name) return one.scope;
  return std::nullopt;
}

template <>
struct AsText<Scope> {
  static std::string print(Scope scope) { return std::string(name_of(scope)); }
  static Result<Scope> parse(std::string_view text) {
    const auto scope = scope_from(text);
    if (!scope) return fail(Blame::input, "unknown scope '", text, "'");
    return *scope;
  }
};

}  // namespace arashi
