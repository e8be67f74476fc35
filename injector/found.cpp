#include "injector/found.hpp"

#include "injector/host/cgroup.hpp"
#include "injector/host/files.hpp"

#include <fnmatch.h>

#include <algorithm>
#include <charconv>
#include <map>

namespace arashi {

namespace fs = std::filesystem;

namespace {

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
std::map<std::string, fs::path> directories_that(const Host& host, const FitsPath& fits_path) {
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

}  // namespace

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

Victim process_victim(const Host& host, const Process& process) {
  const auto home = home_of(host, process.pid);
  return {.kind = "process",
          .scope = Scope::process,
          .label = process.name + " (pid " + std::to_string(process.pid) + ")",
          .pid = process.pid,
          .start_time = process.start_time,
          .netns = netns_of(host, process.pid).value_or(0),
          .netns_path = (host.proc / std::to_string(process.pid) / "ns/net").string(),
          .cgroup = home.directory.empty() ? 0 : inode_of(home.directory).value_or(0),
          .cgroup_path = home.directory.string()};
}

std::vector<Victim> named_netns(const Host& host, const std::string& pattern) {
  std::vector<Victim> found;
  std::error_code error;
  for (fs::directory_iterator entry(host.netns, error), end; !error && entry != end; entry.increment(error)) {
    const auto name = entry->path().filename().string();
    const auto inode = inode_of(entry->path());
    if (!fits_glob(pattern, name) || !inode) continue;
    found.push_back(
        {.kind = "netns", .scope = Scope::netns, .label = "netns " + name, .netns = *inode, .netns_path = entry->path().string()});
  }
  std::ranges::sort(found, {}, &Victim::label);
  return found;
}

std::vector<Victim> cgroups_that(const Host& host, std::string_view kind, const FitsPath& fits_path) {
  std::vector<Victim> found;
  for (const auto& [path, directory] : directories_that(host, fits_path)) {
    if (holds_protected(host, directory)) continue;
    const auto shown = path;
    Victim victim{
        .kind = std::string(kind), .scope = Scope::cgroup, .label = std::string(kind) + " " + shown, .cgroup_path = directory.string()};
    victim.cgroup = inode_of(directory).value_or(0);
    add_shared_netns(host, victim);
    found.push_back(std::move(victim));
  }
  return found;
}

}  // namespace arashi
