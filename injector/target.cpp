#include "injector/target.hpp"

#include "injector/found.hpp"
#include "injector/host/cgroup.hpp"
#include "injector/host/files.hpp"
#include "injector/host/netns.hpp"
#include "injector/host/proc.hpp"
#include "injector/host/qdisc.hpp"
#include "injector/resolver.hpp"

#include <algorithm>
#include <filesystem>
#include <map>

namespace arashi {

namespace fs = std::filesystem;

namespace {

Result<void> same_inode(const fs::path& path, std::uint64_t inode, std::string_view what) {
  const auto now = inode_of(path);
  if (!now) return fail(Blame::missing, what, " '", path.string(), "' is gone");
  if (*now != inode) return fail(Blame::missing, what, " '", path.string(), "' is another one than when it was chosen");
  return {};
}

}  // namespace

Result<std::vector<Victim>> resolve(const Host& host, const Selector& selector) {
  const auto problems = check_selector(selector);
  if (!problems.empty()) return fail(Blame::input, problems.front());
  const auto resolver = std::ranges::find_if(all_resolvers(), [&](const KindResolver* one) { return one->kind == selector.kind; });
  if (resolver == all_resolvers().end())
    return fail(Blame::unsupported, "an agent cannot look for a ", selector.kind, " target: its runner does that");
  auto found = TRY((*resolver)->resolve(host, selector));
  for (auto& victim : found) victim.selector = selector;
  return found;
}

void add_addresses(const Host& host, std::vector<Victim>& victims) {
  std::map<std::uint64_t, std::vector<std::string>> known;
  const auto own = own_netns(host).value_or(Netns{});
  for (auto& victim : victims) {
    const auto netns = victim.scope == Scope::node ? own : Netns{.path = victim.netns_path, .inode = victim.netns};
    if (netns.inode == 0) continue;
    const auto [entry, is_new] = known.try_emplace(netns.inode);
    auto socket = is_new ? socket_in(host, netns) : fail(Blame::missing, "asked already");
    if (socket)
      for (const auto& address : addresses(*socket).value_or(std::vector<Cidr>{})) entry->second.push_back(to_text(address));
    victim.addresses = entry->second;
  }
}

Result<void> still_there(const Host& host, const Victim& victim) {
  if (victim.scope == Scope::process) {
    TRY(ProcessHandle::open(host, victim.pid, victim.start_time));
    return {};
  }
  if (victim.scope == Scope::netns) return same_inode(victim.netns_path, victim.netns, "network namespace");
  if (victim.scope == Scope::cgroup) return same_inode(victim.cgroup_path, victim.cgroup, "cgroup");
  return {};
}

Result<std::vector<Victim>> successors(const Host& host, const Victim& victim) {
  if (victim.scope == Scope::process) {
    auto found = TRY(resolve(host, victim.selector));
    // The path, not the inode: systemd makes a service's cgroup anew when it starts it again.
    std::erase_if(found, [&](const Victim& each) { return each.netns != victim.netns || each.cgroup_path != victim.cgroup_path; });
    return found;
  }
  std::vector<Victim> found;
  if (victim.cgroup_path.empty()) return found;
  const auto pids = pids_in_and_below(victim.cgroup_path);
  if (!pids && pids.error().blame != Blame::missing) return pass(pids.error());
  for (const auto pid : pids ? *pids : std::vector<std::int32_t>{}) {
    const auto process = read_process(host, pid);
    if (!process || process->kernel_thread || process->state == 'Z' || is_protected(host, pid)) continue;
    found.push_back(process_victim(host, *process));
    found.back().selector = victim.selector;
  }
  return found;
}

}  // namespace arashi
