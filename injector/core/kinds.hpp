// What a victim can be called. A kind is a row here and a resolver in injector/resolvers/ (or, for what only Kubernetes knows, in
// experiments/kubernetes/); the parser, the schema, the API and the docs read the row.
#pragma once

#include "injector/core/json.hpp"
#include "injector/core/scope.hpp"

#include <array>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace arashi {

enum class KeyForm {
  text,
  pid,
  port,
  labels,  // a mapping of texts, all of which must fit
  list,    // of mappings, each with a form of its own
};

struct SelectorKey {
  std::string_view name;
  KeyForm form = KeyForm::text;
};

struct SelectorKind {
  std::string_view kind;
  Scope scope;  // of the victims found
  std::string_view summary, example;
  std::span<const SelectorKey> keys;  // none: it needs none
};

namespace keys_of {
inline constexpr std::array process{
    SelectorKey{"name"},  SelectorKey{"pid", KeyForm::pid}, SelectorKey{"port", KeyForm::port}, SelectorKey{"user"}, SelectorKey{"netns"},
    SelectorKey{"cgroup"}};
inline constexpr std::array netns{SelectorKey{"name"}, SelectorKey{"path"}, SelectorKey{"pid", KeyForm::pid}};
inline constexpr std::array cgroup{SelectorKey{"path"}};
inline constexpr std::array unit{SelectorKey{"name"}};
}  // namespace keys_of

inline constexpr std::array selector_kinds{
    SelectorKind{"process", Scope::process, "processes of this machine, by name, pid, port, user, netns, cgroup (all given must fit)",
                 "{name: wallet}", keys_of::process},
    SelectorKind{"netns", Scope::netns, "network namespaces, by name (a glob), path or pid", "{name: pay-ledger-*}", keys_of::netns},
    SelectorKind{"cgroup", Scope::cgroup, "cgroups, by path below the root (a glob)", "{path: pay/ledger-*}", keys_of::cgroup},
    SelectorKind{"unit", Scope::cgroup, "systemd units, by name (a glob)", "{name: nginx.service}", keys_of::unit},
    SelectorKind{"node", Scope::node, "the machine itself", "{}", {}},
};

const SelectorKind* find_kind(std::string_view name);
// The kinds whose victims a fault with these scopes can act on.
std::vector<std::string_view> kinds_in(std::span<const Scope> scopes);

// What is wrong with what a selector of this kind asks for, one line each; empty if nothing. An absent `match` is an empty one.
std::vector<std::string> check_match(const SelectorKind& kind, const Json& match);

}  // namespace arashi
