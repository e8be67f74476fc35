#include "injector/target.hpp"

#include "injector/host/cgroup.hpp"
#include "injector/host/files.hpp"
#include "injector/host/netns.hpp"
#include "injector/host/proc.hpp"
#include "injector/host/qdisc.hpp"

#include <fnmatch.h>
#include <pwd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <functional>
#include <map>
#include <optional>
#include <set>

namespace arashi {

namespace fs = std::filesystem;

namespace {

using Match = std::map<std::string, std::string>;

const std::string* find(const Match& match, const std::string& key) {
  const auto found = match.find(key);
  return found == match.end() ? nullptr : &found->second;
}

std::int64_t number(const std::string& text) {
  std::int64_t value = 0;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

bool fits_glob(const std::string& pattern, const std::string& text) { return ::fnmatch(pattern.c_str(), text.c_str(), FNM_PATHNAME) == 0; }

std::string without_slashes(std::string_view path) {
  while (path.starts_with('/')) path.remove_prefix(1);
  while (path.ends_with('/')) path.remove_suffix(1);
  return std::string(path);
}

bool is_protected(const Host& host, std::int32_t pid) { return std::ranges::find(host.protected_pids, pid) != host.protected_pids.end(); }

// ── where a process lives ──────────────────────────────────────────────────────────────────────────────────────────

bool covers(const std::string& controllers, const std::string& hierarchy) {
  if (hierarchy == "v2") return controllers.empty();
  if (controllers == "name=" + hierarchy) return true;
  return ("," + controllers + ",").find("," + hierarchy + ",") != std::string::npos;
}

struct Home {
  std::string below_root;  // "system.slice/nginx.service"; empty: the root
  fs::path directory;
};

// The first hierarchy in which the process is not in the root, v2 before the freezer before the others; else the first one's root.
Home home_of(const Host& host, std::int32_t pid) {
  const auto all = memberships(host, pid);
  if (!all) return {};
  Home root;
  for (const auto& hierarchy : hierarchies(host)) {
    for (const auto& each : *all) {
      if (!covers(each.controllers, hierarchy.name)) continue;
      const auto path = without_slashes(each.path);
      if (!path.empty()) return {path, hierarchy.root / path};
      if (root.directory.empty()) root.directory = hierarchy.root;
    }
  }
  return root;
}

// Whether the process is in a cgroup that fits, or below one, in any hierarchy.
bool lives_in(const Host& host, std::int32_t pid, const std::string& pattern) {
  const auto all = memberships(host, pid);
  if (!all) return false;
  return std::ranges::any_of(*all, [&](const Membership& each) {
    for (fs::path path = without_slashes(each.path); !path.empty(); path = path.parent_path())
      if (fits_glob(without_slashes(pattern), path.string())) return true;
    return false;
  });
}

Result<std::uint32_t> user_number(const std::string& user) {
  if (user.find_first_not_of("0123456789") == std::string::npos) return static_cast<std::uint32_t>(number(user));
  std::array<char, 4096> buffer{};
  struct passwd entry {};
  struct passwd* found = nullptr;
  ::getpwnam_r(user.c_str(), &entry, buffer.data(), buffer.size(), &found);
  if (found == nullptr) return fail(Blame::input, "there is no user '", user, "' on this machine");
  return static_cast<std::uint32_t>(found->pw_uid);
}

// ── network namespaces ─────────────────────────────────────────────────────────────────────────────────────────────

std::vector<Victim> named_netns(const Host& host, const std::string& pattern) {
  std::vector<Victim> found;
  std::error_code error;
  for (fs::directory_iterator entry(host.netns, error), end; !error && entry != end; entry.increment(error)) {
    const auto name = entry->path().filename().string();
    const auto inode = inode_of(entry->path());
    if (!fits_glob(pattern, name) || !inode) continue;
    found.push_back({.kind = "netns", .label = "netns " + name, .netns = *inode, .netns_path = entry->path().string()});
  }
  std::ranges::sort(found, {}, &Victim::label);
  return found;
}

// The inodes that a "netns" key of a process selector means: a name's (a glob) or a file's.
std::set<std::uint64_t> netns_inodes(const Host& host, const std::string& text) {
  std::set<std::uint64_t> inodes;
  if (text.find('/') != std::string::npos) {
    if (const auto inode = inode_of(text)) inodes.insert(*inode);
    return inodes;
  }
  for (const auto& each : named_netns(host, text)) inodes.insert(each.netns);
  return inodes;
}

std::vector<Victim> netns_by_file(const fs::path& path, const std::string& label) {
  const auto inode = inode_of(path);
  if (!inode) return {};
  return {{.kind = "netns", .label = label, .netns = *inode, .netns_path = path.string()}};
}

std::vector<Victim> resolve_netns(const Host& host, const Match& match) {
  std::optional<std::vector<Victim>> found;
  const auto narrow = [&found](std::vector<Victim> with) {
    if (!found) {
      found = std::move(with);
      return;
    }
    std::erase_if(*found, [&](const Victim& each) { return std::ranges::find(with, each.netns, &Victim::netns) == with.end(); });
  };
  if (const auto* name = find(match, "name")) narrow(named_netns(host, *name));
  if (const auto* path = find(match, "path")) narrow(netns_by_file(*path, "netns " + *path));
  if (const auto* pid = find(match, "pid")) narrow(netns_by_file(host.proc / *pid / "ns/net", "netns of process " + *pid));
  return found ? std::move(*found) : std::vector<Victim>{};
}

// ── processes ──────────────────────────────────────────────────────────────────────────────────────────────────────

// What the match asks, looked up once for all processes.
struct ProcessQuestion {
  const Match& match;
  std::optional<std::set<std::int32_t>> listening;
  std::optional<std::set<std::uint64_t>> netns;
  std::optional<std::uint32_t> user;
};

Result<ProcessQuestion> ask(const Host& host, const Match& match) {
  ProcessQuestion question{.match = match};
  if (const auto* port = find(match, "port")) {
    const auto pids = TRY(listeners(host, static_cast<std::uint16_t>(number(*port))));
    question.listening.emplace(pids.begin(), pids.end());
  }
  if (const auto* netns = find(match, "netns")) question.netns = netns_inodes(host, *netns);
  if (const auto* user = find(match, "user")) question.user = TRY(user_number(*user));
  return question;
}

bool fits(const Host& host, const ProcessQuestion& question, const Process& process) {
  const auto& match = question.match;
  if (process.kernel_thread || process.state == 'Z' || is_protected(host, process.pid)) return false;
  if (const auto* pid = find(match, "pid"); pid != nullptr && number(*pid) != process.pid) return false;
  if (question.listening && !question.listening->contains(process.pid)) return false;
  if (const auto* name = find(match, "name"); name != nullptr && !has_name(host, process, *name)) return false;
  if (question.user && user_of(host, process.pid).value_or(~0U) != *question.user) return false;
  if (question.netns && !question.netns->contains(netns_of(host, process.pid).value_or(0))) return false;
  const auto* cgroup = find(match, "cgroup");
  return cgroup == nullptr || lives_in(host, process.pid, *cgroup);
}

Victim process_victim(const Host& host, const Process& process) {
  const auto home = home_of(host, process.pid);
  return {.kind = "process",
          .label = process.name + " (pid " + std::to_string(process.pid) + ")",
          .pid = process.pid,
          .start_time = process.start_time,
          .netns = netns_of(host, process.pid).value_or(0),
          .netns_path = (host.proc / std::to_string(process.pid) / "ns/net").string(),
          .cgroup = home.directory.empty() ? 0 : inode_of(home.directory).value_or(0),
          .cgroup_path = home.directory.string()};
}

Result<std::vector<Victim>> resolve_processes(const Host& host, const Match& match) {
  const auto question = TRY(ask(host, match));
  const auto* const only = find(match, "pid");
  const auto pids = only != nullptr ? std::vector{static_cast<std::int32_t>(number(*only))} : all_pids(host);
  std::vector<Victim> found;
  for (const auto pid : pids) {
    const auto process = read_process(host, pid);
    if (process && fits(host, question, *process)) found.push_back(process_victim(host, *process));
  }
  return found;
}

// ── cgroups and units ──────────────────────────────────────────────────────────────────────────────────────────────

bool holds_protected(const Host& host, const fs::path& directory) {
  const auto pids = pids_in_and_below(directory);
  return pids && std::ranges::any_of(*pids, [&](std::int32_t pid) { return is_protected(host, pid); });
}

// All directories below a hierarchy's root, relative to it.
void walk(const fs::path& root, const fs::path& below, const auto& visit) {
  std::error_code error;
  for (fs::directory_iterator entry(root / below, error), end; !error && entry != end; entry.increment(error)) {
    std::error_code gone;
    if (!entry->is_directory(gone) || entry->is_symlink(gone)) continue;
    const auto path = below / entry->path().filename();
    visit(path);
    walk(root, path, visit);
  }
}

// The network namespace that all its processes share, or 0.
void add_shared_netns(const Host& host, Victim& victim) {
  const auto pids = pids_in_and_below(victim.cgroup_path);
  if (!pids || pids->empty()) return;
  for (const auto pid : *pids) {
    const auto netns = netns_of(host, pid).value_or(0);
    if (netns == 0) continue;
    if (victim.netns != 0 && victim.netns != netns) {
      victim.netns = 0;
      victim.netns_path.clear();
      return;
    }
    victim.netns = netns;
    victim.netns_path = (host.proc / std::to_string(pid) / "ns/net").string();
  }
}

// Each path once, from the first hierarchy that has it with processes, else the first that has it at all.
std::map<std::string, fs::path> directories_that(const Host& host, const std::function<bool(const fs::path&)>& fits_path) {
  std::map<std::string, fs::path> directories;
  for (const auto& hierarchy : hierarchies(host)) {
    walk(hierarchy.root, {}, [&](const fs::path& path) {
      if (!fits_path(path)) return;
      const auto directory = hierarchy.root / path;
      const auto [known, is_new] = directories.try_emplace(path.string(), directory);
      if (is_new) return;
      const auto before = pids_in_and_below(known->second);
      const auto here = pids_in_and_below(directory);
      if ((!before || before->empty()) && here && !here->empty()) known->second = directory;
    });
  }
  return directories;
}

std::vector<Victim> cgroups_that(const Host& host, std::string_view kind, const std::function<bool(const fs::path&)>& fits_path) {
  std::vector<Victim> found;
  for (const auto& [path, directory] : directories_that(host, fits_path)) {
    if (holds_protected(host, directory)) continue;
    const auto shown = kind == "unit" ? fs::path(path).filename().string() : path;
    Victim victim{.kind = std::string(kind), .label = std::string(kind) + " " + shown, .cgroup_path = directory.string()};
    victim.cgroup = inode_of(directory).value_or(0);
    add_shared_netns(host, victim);
    found.push_back(std::move(victim));
  }
  return found;
}

std::vector<Victim> resolve_cgroups(const Host& host, const Match& match) {
  const auto pattern = without_slashes(match.at("path"));
  return cgroups_that(host, "cgroup", [&](const fs::path& path) { return fits_glob(pattern, path.string()); });
}

// systemd escapes nothing that a unit's name may hold but "/", so the directory's name is the unit's.
std::vector<Victim> resolve_units(const Host& host, const Match& match) {
  const auto& pattern = match.at("name");
  const auto is_unit = [&](const fs::path& path) {
    const auto type = path.extension();
    return (type == ".service" || type == ".scope" || type == ".slice") && fits_glob(pattern, path.filename().string());
  };
  return cgroups_that(host, "unit", is_unit);
}

Result<std::vector<Victim>> resolve_kind(const Host& host, const Selector& selector) {
  if (selector.kind == "process") return resolve_processes(host, selector.match);
  if (selector.kind == "netns") return resolve_netns(host, selector.match);
  if (selector.kind == "cgroup") return resolve_cgroups(host, selector.match);
  if (selector.kind == "unit") return resolve_units(host, selector.match);
  return std::vector<Victim>{{.kind = "node", .label = "this machine"}};
}

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
  auto found = TRY(resolve_kind(host, selector));
  for (auto& victim : found) victim.selector = selector;
  return found;
}

void add_addresses(const Host& host, std::vector<Victim>& victims) {
  std::map<std::uint64_t, std::vector<std::string>> known;
  const auto own = own_netns(host).value_or(Netns{});
  for (auto& victim : victims) {
    const auto netns = victim.kind == "node" ? own : Netns{.path = victim.netns_path, .inode = victim.netns};
    if (netns.inode == 0) continue;
    const auto [entry, is_new] = known.try_emplace(netns.inode);
    auto socket = is_new ? socket_in(host, netns) : fail(Blame::missing, "asked already");
    if (socket)
      for (const auto& address : addresses(*socket).value_or(std::vector<Cidr>{})) entry->second.push_back(to_text(address));
    victim.addresses = entry->second;
  }
}

Result<void> still_there(const Host& host, const Victim& victim) {
  if (victim.kind == "process") {
    TRY(ProcessHandle::open(host, victim.pid, victim.start_time));
    return {};
  }
  if (victim.kind == "netns") return same_inode(victim.netns_path, victim.netns, "network namespace");
  if (victim.kind == "cgroup" || victim.kind == "unit") return same_inode(victim.cgroup_path, victim.cgroup, "cgroup");
  return {};
}

Result<std::vector<Victim>> successors(const Host& host, const Victim& victim) {
  if (victim.kind == "process") {
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
