#include "injector/network/network_scope.hpp"

#include "injector/host/cgroup.hpp"
#include "injector/host/files.hpp"
#include "injector/host/proc.hpp"

#include <algorithm>
#include <filesystem>
#include <set>
#include <string>
#include <vector>

namespace arashi {

namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t root_id = 1;  // of the machine's own root; that of a cgroup namespace has another
constexpr const char* instead = "; aim at the node or at the network namespace, if all in it are meant";

Result<fs::path> v2_root(const Host& host, const Victim& victim) {
  const auto all = hierarchies(host);
  const auto v2 = std::ranges::find(all, "v2", &Hierarchy::name);
  if (v2 == all.end())
    return fail(Blame::unsupported, victim.label,
                " shares its network namespace with others, and only cgroup v2 tells their packets apart: '", host.cgroup.string(),
                "' has v1 alone", instead);
  if (inode_of(v2->root).value_or(0) != root_id)
    return fail(Blame::unsupported, victim.label, " shares its network namespace with others, and '", v2->root.string(),
                "' does not begin at the root of the machine's cgroups: mount that of the machine");
  return v2->root;
}

// Below the root of v2; empty: the root itself.
Result<fs::path> v2_path_of(const Host& host, std::int32_t pid) {
  for (const auto& each : TRY(memberships(host, pid)))
    if (each.controllers.empty()) return fs::path(each.path).relative_path();
  return fs::path();
}

Result<fs::path> v2_path_of(const Host& host, const Victim& victim) {
  if (victim.scope == Scope::process) return v2_path_of(host, victim.pid);
  const auto root = TRY(v2_root(host, victim));
  if (const auto path = fs::path(victim.cgroup_path).lexically_relative(root); !path.empty() && *path.begin() != "..") return path;
  // Found in a v1 hierarchy, where its processes are; in v2 they may be elsewhere.
  for (const auto& hierarchy : hierarchies(host)) {
    const auto path = fs::path(victim.cgroup_path).lexically_relative(hierarchy.root);
    if (path.empty() || *path.begin() == "..") continue;
    const auto wanted = TRY(pids_in_and_below(victim.cgroup_path));
    if (const auto found = pids_in_and_below(root / path); found && *found == wanted) return path;
  }
  return fail(Blame::refused, victim.label, " shares its network namespace with others and is a cgroup of v1 ('", victim.cgroup_path,
              "') whose processes have no cgroup v2 of that name", instead);
}

bool descends_from(const Host& host, std::int32_t pid, std::int32_t ancestor) {
  constexpr int most_generations = 64;
  for (int i = 0; i < most_generations && pid > 1; ++i) {
    if (pid == ancestor) return true;
    const auto process = read_process(host, pid);
    if (!process) return false;
    pid = process->parent;
  }
  return false;
}

// A process is hit by its cgroup, so whoever else is in there must belong to it: a child, or a worker of the same name.
Result<void> check_no_strangers(const Host& host, const Victim& victim, const fs::path& directory) {
  const auto self = TRY(read_process(host, victim.pid));
  for (const auto pid : TRY(pids_in_and_below(directory))) {
    const auto other = read_process(host, pid);
    if (!other || other->name == self.name || descends_from(host, pid, victim.pid)) continue;
    if (netns_of(host, pid).value_or(0) != victim.netns) continue;
    return fail(Blame::refused, victim.label, " shares its network namespace with others, and its cgroup '", directory.string(), "' with ",
                other->name, " (pid ", pid, "), so that their packets can't be told apart; aim at the cgroup, if both are meant");
  }
  return {};
}

Result<SocketCgroup> socket_cgroup(const Host& host, const Victim& victim) {
  const auto root = TRY(v2_root(host, victim));
  const auto path = TRY(v2_path_of(host, victim));
  if (path.empty() || *path.begin() == "..")
    return fail(Blame::refused, victim.label, " shares its network namespace with others, and has no cgroup of its own in '", root.string(),
                "' that tells its packets from theirs", instead);
  if (victim.scope == Scope::process) TRY(check_no_strangers(host, victim, root / path));
  const auto id = inode_of(root / path);
  if (!id) return fail(Blame::missing, "cgroup '", (root / path).string(), "' is gone");
  return SocketCgroup{path.string(), *id, static_cast<std::uint32_t>(std::distance(path.begin(), path.end()))};
}

// Whether someone lives in the namespace and not in the victim's cgroup.
Result<bool> has_others(const Host& host, const Victim& victim) {
  fs::path directory = victim.cgroup_path;
  if (victim.scope == Scope::process) {
    const auto all = hierarchies(host);
    const auto v2 = std::ranges::find(all, "v2", &Hierarchy::name);
    const auto path = TRY(v2_path_of(host, victim.pid));
    if (v2 == all.end() || path.empty() || *path.begin() == "..") return false;  // as far as can be told
    directory = v2->root / path;
  }
  const auto members = TRY(pids_in_and_below(directory));
  return std::ranges::any_of(all_pids(host), [&](std::int32_t pid) {
    return netns_of(host, pid).value_or(0) == victim.netns && !std::ranges::binary_search(members, pid);
  });
}

}  // namespace

namespace {

// The v2 ids of the cgroup and all below it, by which its sockets are known now.
Result<std::set<std::uint64_t>> ids_in_and_below(const Host& host, const SocketCgroup& cgroup) {
  const auto all = hierarchies(host);
  const auto v2 = std::ranges::find(all, "v2", &Hierarchy::name);
  if (v2 == all.end()) return fail(Blame::missing, "there is no cgroup v2 any more");
  const auto top = v2->root / cgroup.path;
  if (inode_of(top).value_or(0) != cgroup.id) return fail(Blame::missing, "cgroup '", top.string(), "' is gone");
  std::set<std::uint64_t> ids{cgroup.id};
  std::error_code error;
  for (fs::recursive_directory_iterator entry(top, error), end; !error && entry != end; entry.increment(error)) {
    std::error_code ignored;  // one that has just gone has no sockets to look for
    if (!entry->is_directory(ignored)) continue;
    if (const auto id = inode_of(entry->path())) ids.insert(*id);
  }
  return ids;
}

Result<std::vector<Connection>> of_cgroup(const Host& host, const std::optional<SocketCgroup>& cgroup, std::vector<Connection> all) {
  if (!cgroup) return all;
  const auto ids = TRY(ids_in_and_below(host, *cgroup));
  std::erase_if(all, [&](const Connection& each) { return !ids.contains(each.cgroup); });
  return all;
}

}  // namespace

Result<std::vector<Connection>> connections_of(const Host& host, netlink::Socket& socket, const std::optional<SocketCgroup>& cgroup) {
  return of_cgroup(host, cgroup, TRY(connections(socket)));
}

Result<std::vector<Connection>> datagram_sockets_of(const Host& host, netlink::Socket& socket, const std::optional<SocketCgroup>& cgroup) {
  return of_cgroup(host, cgroup, TRY(datagram_sockets(socket)));
}

Result<std::string> path_for_nft(const Host& host, const SocketCgroup& cgroup) {
  for (const auto& hierarchy : hierarchies(host)) {
    if (hierarchy.name != "v2") continue;
    const auto path = (hierarchy.root / cgroup.path).lexically_relative("/sys/fs/cgroup");
    if (!path.empty() && *path.begin() != "..") return path.string();
  }
  return fail(Blame::unsupported, "cgroup v2 is not mounted below /sys/fs/cgroup, where nft looks");
}

std::vector<ServedPort> served_ports(const Host& host, const Impairment& impairment) {
  const auto all = hierarchies(host);
  const auto v2 = std::ranges::find(all, "v2", &Hierarchy::name);
  if (!impairment.cgroup || v2 == all.end()) return {};
  auto pids = pids_in_and_below(v2->root / impairment.cgroup->path);
  if (!pids) return {};
  std::erase_if(*pids, [&](std::int32_t pid) { return netns_of(host, pid).value_or(0) != impairment.netns.inode; });
  return served_ports(host, *pids);
}

Result<NetworkScope> network_scope(const Host& host, const Victim& victim) {
  const auto own = TRY(own_netns(host));
  if (victim.scope == Scope::node) return NetworkScope{own, {}};
  const Netns netns{victim.netns_path, victim.netns};
  if (victim.scope == Scope::netns) return NetworkScope{netns, {}};
  if (victim.netns == 0)
    return fail(Blame::refused, victim.label,
                " has no network namespace of its own: it has no process, or they live in several namespaces; aim at one of them");
  if (victim.netns != own.inode && !TRY(has_others(host, victim))) return NetworkScope{netns, {}};
  const auto cgroup = TRY(socket_cgroup(host, victim));
  return NetworkScope{netns, cgroup};
}

}  // namespace arashi
