#include "tests/support/snapshot.hpp"

#include "injector/core/crc.hpp"
#include "injector/host/cgroup.hpp"
#include "injector/host/files.hpp"
#include "tests/support/child.hpp"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>
#include <string_view>

namespace arashi::testing {

namespace fs = std::filesystem;

namespace {

// Some other namespace of the machine went away while `ip` listed this one: nothing of this one.
constexpr std::string_view noise = "Peer netns reference is invalid";

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);)
    if (!line.empty() && line.find(noise) == std::string::npos) lines.push_back(line);
  return lines;
}

// One shell for all of a namespace: a process started from there costs a fraction of one started from here, and there are twenty and more.
// Each answer begins with a line "== SECTION".
constexpr const char* look_into_netns = R"(
say() { echo "== $1"; shift; "$@" 2>&1; }
say links ip -o link show
say addresses ip -o address show
say routes ip route show table all
say routes ip -6 route show table all
say rules ip rule show
say nft nft list ruleset
say qdiscs tc qdisc show
ip -o link show | sed 's/^[0-9]*: \([^:@]*\).*/\1/' | while read -r device; do
  for hook in root ingress egress; do say filters tc filter show dev "$device" "$hook"; done
  say classes tc class show dev "$device"
done
say bpf bpftool net show
)";

void take_netns(const std::string& name, Snapshot& snapshot) {
  const auto looked = run_in(fs::path("/run/netns") / name, {"sh", "-c", look_into_netns});
  std::string section = "?";
  for (auto& line : lines_of(looked.output)) {
    if (line.starts_with("== "))
      section = line.substr(3);
    else
      snapshot[name + " " + section].push_back(std::move(line));
  }
}

void take_files(const fs::path& directory, Snapshot& snapshot) {
  std::error_code error;
  for (fs::recursive_directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error)) {
    std::string line = entry->path().string();
    if (entry->is_regular_file(error)) {
      const auto text = read_text(entry->path(), std::size_t{64} << 20U);
      line += text ? " size " + std::to_string(text->size()) + " crc " + std::to_string(crc32c(*text)) : " unreadable";
    }
    snapshot["files"].push_back(line);
  }
  const auto mounts = read_text("/proc/self/mountinfo", std::size_t{8} << 20U);
  for (const auto& line : lines_of(mounts ? *mounts : std::string()))
    if (line.find(" " + directory.string()) != std::string::npos) snapshot["mounts"].push_back(line);
}

void take_cgroup(const fs::path& directory, Snapshot& snapshot) {
  std::error_code error;
  if (!fs::is_directory(directory, error)) return;
  std::string line = directory.string();
  if (freezer_version(directory) != 0) {
    const auto state = freezer_state(directory);
    line += !state ? " ?" : state->asked ? " frozen" : " not frozen";
  }
  const auto pids = pids_in(directory);
  for (const auto pid : pids ? *pids : std::vector<std::int32_t>{}) line += " " + std::to_string(pid);
  snapshot["cgroups"].push_back(line);
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error))
    if (entry->is_directory(error)) take_cgroup(entry->path(), snapshot);
}

bool has_any(const std::string& text, const std::vector<std::string>& parts) {
  return std::ranges::any_of(parts, [&](const auto& part) { return text.find(part) != std::string::npos; });
}

// arashi/ID and arashi/ID.undo in every hierarchy.
void take_our_cgroups(const Extent& scope, Snapshot& snapshot) {
  for (const auto& hierarchy : hierarchies(Host{})) {
    std::error_code error;
    for (fs::directory_iterator entry(hierarchy.root / "arashi", error), end; !error && entry != end; entry.increment(error))
      if (entry->is_directory(error) && (scope.ids.empty() || has_any(entry->path().filename().string(), scope.ids)))
        take_cgroup(entry->path(), snapshot);
  }
}

std::string describe_process(std::int32_t pid) {
  const auto name = read_text("/proc/" + std::to_string(pid) + "/comm");
  const char state = process_state(pid);
  if (state == '\0') return std::to_string(pid) + " gone";
  const char* const words = state == 'T' ? "stopped" : state == 'Z' ? "zombie" : "alive";
  return std::to_string(pid) + " " + words + " " + (name ? lines_of(*name)[0] : "?");
}

// Workers and commands carry ARASHI_INJECTION=ID; a test's own tree the marker.
void take_processes(const Extent& scope, Snapshot& snapshot) {
  for (const auto pid : scope.processes) snapshot["processes"].push_back(describe_process(pid));
  std::vector<std::string> signs;
  for (const auto& id : scope.ids) signs.push_back("ARASHI_INJECTION=" + id);
  if (!scope.marker.empty()) signs.push_back(scope.marker);
  if (signs.empty()) signs.emplace_back("ARASHI_INJECTION=");
  std::error_code error;
  for (fs::directory_iterator entry("/proc", error), end; !error && entry != end; entry.increment(error)) {
    const auto name = entry->path().filename().string();
    if (name.find_first_not_of("0123456789") != std::string::npos) continue;
    const auto environment = read_text(entry->path() / "environ");
    if (environment && has_any(*environment, signs)) snapshot["processes of ours"].push_back(describe_process(std::stoi(name)));
  }
}

void take_bpf(const Extent& scope, Snapshot& snapshot) {
  const auto ours = [&](const std::string& line) { return scope.ids.empty() ? has_any(line, {"arashi"}) : has_any(line, scope.ids); };
  for (const char* kind : {"prog", "map"}) {
    for (const auto& line : lines_of(run({"bpftool", kind, "show"}).output))
      if (line.find("name ") != std::string::npos && ours(line)) snapshot["bpf"].push_back(line);
  }
}

}  // namespace

Snapshot take(const Extent& scope) {
  Snapshot snapshot;
  for (const auto& name : scope.netns) take_netns(name, snapshot);
  for (const auto& directory : scope.directories) take_files(directory, snapshot);
  for (const auto& cgroup : scope.cgroups) take_cgroup(cgroup, snapshot);
  take_our_cgroups(scope, snapshot);
  take_processes(scope, snapshot);
  take_bpf(scope, snapshot);
  for (auto& [section, lines] : snapshot) std::ranges::sort(lines);
  return snapshot;
}

std::string difference(const Snapshot& before, const Snapshot& after) {
  std::set<std::string> sections;
  for (const auto* each : {&before, &after})
    for (const auto& [section, lines] : *each) sections.insert(section);
  std::string text;
  const auto lines = [](const Snapshot& snapshot, const std::string& section) {
    const auto found = snapshot.find(section);
    return found == snapshot.end() ? std::vector<std::string>{} : found->second;
  };
  for (const auto& section : sections) {
    const auto old_lines = lines(before, section);
    const auto new_lines = lines(after, section);
    std::vector<std::string> lost;
    std::vector<std::string> won;
    std::ranges::set_difference(old_lines, new_lines, std::back_inserter(lost));
    std::ranges::set_difference(new_lines, old_lines, std::back_inserter(won));
    for (const auto& line : lost) text.append(section).append(": - ").append(line).append("\n");
    for (const auto& line : won) text.append(section).append(": + ").append(line).append("\n");
  }
  return text;
}

}  // namespace arashi::testing
