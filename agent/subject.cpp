#include "agent/subject.hpp"

#include "injector/host/cgroup.hpp"
#include "injector/host/files.hpp"

#include <algorithm>
#include <sstream>

namespace arashi {

namespace {

namespace fs = std::filesystem;

constexpr std::size_t most_cgroups = 20000;  // inside one victim

fs::path process_directory(const Host& host, std::int32_t pid) { return host.proc / std::to_string(pid); }

// Its name as ps shows it and its program's, which ps cuts to 15 bytes.
void add_process(const Host& host, std::int32_t pid, Subject& subject) {
  const auto directory = process_directory(host, pid);
  if (auto name = read_text(directory / "comm")) {
    while (!name->empty() && name->back() == '\n') name->pop_back();
    subject.processes.push_back(*std::move(name));
  }
  std::error_code error;
  const auto program = fs::read_symlink(directory / "exe", error);
  if (!error) subject.processes.push_back(program.filename().string());
  const bool is_listed = std::ranges::find(host.protected_pids, pid) != host.protected_pids.end();
  // The api process and the workers come and go: they are known by their program.
  if (is_listed || fs::equivalent(directory / "exe", host.self, error)) subject.holds_agent = true;
}

// "4:freezer:/pay/wallet" lines: the part after the second colon, without its first slash.
void add_cgroups_of(const Host& host, std::int32_t pid, Subject& subject) {
  const auto text = read_text(process_directory(host, pid) / "cgroup");
  if (!text) return;
  std::istringstream lines(*text);
  for (std::string line; std::getline(lines, line);) {
    const auto path = line.find(":/");
    if (path != std::string::npos && path + 2 < line.size()) subject.cgroups.push_back(line.substr(path + 2));
  }
}

bool is_below(const fs::path& path, const fs::path& root) {
  const auto relative = path.lexically_relative(root);
  return path.is_absolute() && path == path.lexically_normal() && !relative.empty() && *relative.begin() != "..";
}

std::string below_hierarchy(const Host& host, const fs::path& directory) {
  for (const auto& hierarchy : hierarchies(host))
    if (is_below(directory, hierarchy.root)) return directory.lexically_relative(hierarchy.root).string();
  return directory.lexically_relative(host.cgroup).string();
}

Result<void> add_cgroup(const Host& host, const fs::path& directory, Subject& subject) {
  if (!is_below(directory, host.cgroup)) return fail(Blame::input, "cgroup '", directory.string(), "' is not below ", host.cgroup.string());
  subject.cgroups.push_back(below_hierarchy(host, directory));
  std::error_code error;
  for (fs::recursive_directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error)) {
    if (!entry->is_directory(error)) continue;
    subject.cgroups.push_back(below_hierarchy(host, entry->path()));
    if (subject.cgroups.size() > most_cgroups)
      return fail(Blame::refused, "cgroup '", directory.string(), "' holds more than ", most_cgroups, " others");
  }
  for (const auto pid : TRY(pids_in_and_below(directory))) add_process(host, pid, subject);
  return {};
}

}  // namespace

Result<Subject> look_at(const Host& host, std::string_view fault, const Victim& victim, Duration duration) {
  Subject subject{.fault = fault, .duration = duration, .victim = victim};
  if (victim.scope == Scope::process) {
    add_process(host, victim.pid, subject);
    add_cgroups_of(host, victim.pid, subject);
  } else if (victim.scope == Scope::cgroup) {
    TRY(add_cgroup(host, victim.cgroup_path, subject));
  }
  const fs::path netns = victim.netns_path;
  if (netns.parent_path() == host.netns) subject.namespace_name = netns.filename().string();
  return subject;
}

}  // namespace arashi
