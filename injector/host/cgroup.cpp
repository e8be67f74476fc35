#include "injector/host/cgroup.hpp"

#include "injector/host/files.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>

namespace arashi {

namespace fs = std::filesystem;

namespace {

constexpr std::string_view parent_name = "arashi";
constexpr auto kill_patience = std::chrono::seconds(5);
constexpr auto look_again = std::chrono::milliseconds(1);

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

std::vector<fs::path> directories_in(const fs::path& directory) {
  std::vector<fs::path> found;
  std::error_code error;
  for (fs::directory_iterator entry(directory, error), end; !error && entry != end; entry.increment(error))
    if (entry->is_directory(error) && !entry->is_symlink(error)) found.push_back(entry->path());
  std::ranges::sort(found);
  return found;
}

// Asks until it is so or the patience ends.
template <class Question>
bool comes_true(Duration patience, Question question) {
  const auto deadline = boot_now() + patience;
  while (!question()) {
    if (boot_now() >= deadline) return question();
    breathe();
  }
  return true;
}

Result<void> each_and_below(const fs::path& directory, const auto& visit) {
  for (const auto& child : directories_in(directory)) TRY(each_and_below(child, visit));
  return visit(directory);
}

// One by one, for kernels before 5.14 and for v1: what forks meanwhile is found by the next round.
void signal_all(const fs::path& directory) {
  const auto pids = pids_in_and_below(directory);
  if (!pids) return;
  for (const auto pid : *pids) ::kill(pid, SIGKILL);
}

bool holds_none(const fs::path& directory) {
  const auto pids = pids_in_and_below(directory);
  return !pids || pids->empty();
}

// A frozen v1 task dies only once it is thawed.
Result<void> thaw_all(const fs::path& directory) {
  return each_and_below(directory, [](const fs::path& each) -> Result<void> {
    if (freezer_version(each) != 1) return {};
    auto thawed = thaw(each);
    if (!thawed && thawed.error().blame != Blame::missing) return thawed;
    return {};
  });
}

}  // namespace

void breathe() { ::poll(nullptr, 0, static_cast<int>(look_again.count())); }

std::vector<Hierarchy> hierarchies(const Host& host) {
  if (is_there(host.cgroup / "cgroup.controllers")) return {{"v2", host.cgroup}};
  std::vector<Hierarchy> found;
  if (is_there(host.cgroup / "unified" / "cgroup.procs")) found.push_back({"v2", host.cgroup / "unified"});
  if (is_there(host.cgroup / "freezer" / "cgroup.procs")) found.push_back({"freezer", host.cgroup / "freezer"});
  for (const auto& each : directories_in(host.cgroup)) {
    const auto name = each.filename().string();
    if (name != "unified" && name != "freezer" && is_there(each / "cgroup.procs")) found.push_back({name, each});
  }
  return found;
}

Result<Hierarchy> freezing_hierarchy(const Host& host) {
  for (auto& each : hierarchies(host))
    if (each.name == "v2" || each.name == "freezer") return std::move(each);
  return fail(Blame::unsupported, "no cgroup v2 and no v1 freezer is mounted at '", host.cgroup.string(), "'");
}

Result<fs::path> own_cgroup(const Host& host, std::string_view name) { return TRY(freezing_hierarchy(host)).root / parent_name / name; }

Result<fs::path> make_own_cgroup(const Host& host, std::string_view name) {
  const auto directory = TRY(own_cgroup(host, name));
  TRY(make_directory(directory));
  return directory;
}

Result<std::vector<std::int32_t>> pids_in(const fs::path& directory) {
  const auto text = TRY(read_text(directory / "cgroup.procs", std::size_t{16} << 20U));
  std::vector<std::int32_t> pids;
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at < end) {
    std::int32_t pid = 0;
    const auto [next, error] = std::from_chars(at, end, pid);
    if (error != std::errc{}) break;
    if (pid > 0) pids.push_back(pid);
    at = next + 1;
  }
  return pids;
}

Result<std::vector<std::int32_t>> pids_in_and_below(const fs::path& directory) {
  auto all = TRY(pids_in(directory));
  for (const auto& child : directories_in(directory)) {
    const auto more = pids_in_and_below(child);
    if (more) all.insert(all.end(), more->begin(), more->end());
  }
  std::ranges::sort(all);
  all.erase(std::unique(all.begin(), all.end()), all.end());
  return all;
}

Result<void> kill_cgroup(const fs::path& directory) {
  if (!is_there(directory)) return {};
  const bool at_once = is_there(directory / "cgroup.kill");
  const bool empty = comes_true(kill_patience, [&] {
    if (holds_none(directory)) return true;
    if (!at_once || !write_text(directory / "cgroup.kill", "1")) signal_all(directory);
    if (!thaw_all(directory)) return false;
    return holds_none(directory);
  });
  if (!empty) return fail(Blame::system, "kill what is in '", directory.string(), "': processes are left after ", to_text(kill_patience));
  return {};
}

Result<void> remove_cgroup(const fs::path& directory) {
  if (!is_there(directory)) return {};
  return each_and_below(directory, [](const fs::path& each) -> Result<void> {
    // A process just killed keeps its cgroup busy until it has been reaped.
    int error = 0;
    const bool gone = comes_true(kill_patience, [&] {
      error = ::rmdir(each.c_str()) == 0 ? 0 : errno;
      return error != EBUSY;
    });
    if (gone && (error == 0 || error == ENOENT)) return {};
    return fail(Blame::system, "remove cgroup '", each.string(), "': ", std::strerror(error));
  });
}

int freezer_version(const fs::path& directory) {
  if (is_there(directory / "cgroup.freeze")) return 2;
  if (is_there(directory / "freezer.state")) return 1;
  return 0;
}

Result<FreezerState> freezer_state(const fs::path& directory) {
  if (freezer_version(directory) == 2) {
    const auto asked = TRY(read_text(directory / "cgroup.freeze"));
    const auto events = TRY(read_text(directory / "cgroup.events"));
    return FreezerState{asked.starts_with('1'), events.find("frozen 1") != std::string::npos};
  }
  const auto asked = TRY(read_text(directory / "freezer.self_freezing"));
  const auto state = TRY(read_text(directory / "freezer.state"));
  return FreezerState{asked.starts_with('1'), state.starts_with("FROZEN")};
}

Result<void> freeze(const fs::path& directory, Duration patience) {
  if (freezer_version(directory) == 2)
    TRY(write_text(directory / "cgroup.freeze", "1"));
  else
    TRY(write_text(directory / "freezer.state", "FROZEN"));
  const bool frozen = comes_true(patience, [&] {
    const auto state = freezer_state(directory);
    return state && state->frozen;
  });
  if (!frozen) return fail(Blame::system, "freeze '", directory.string(), "': not all its tasks stand still after ", to_text(patience));
  return {};
}

Result<void> thaw(const fs::path& directory) {
  if (freezer_version(directory) == 2) return write_text(directory / "cgroup.freeze", "0");
  return write_text(directory / "freezer.state", "THAWED");
}

}  // namespace arashi
