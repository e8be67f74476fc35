// Control groups of both versions: v2 (alone, or beside v1 at ROOT/unified) and the v1 freezer.
// A cgroup's identity is its directory's inode (inode_of); its path may be made again by someone else.
#pragma once

#include "injector/core/result.hpp"
#include "injector/core/units.hpp"
#include "injector/host/host.hpp"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace arashi {

struct Hierarchy {
  std::string name;            // "v2", else the v1 controllers: "freezer", "memory", "systemd"
  std::filesystem::path root;  // where it is mounted
};

// Those of this machine, v2 first, then freezer, then the other v1 ones by name.
std::vector<Hierarchy> hierarchies(const Host& host);
// The one for our own cgroups and for freezing: v2, else the freezer; Blame::unsupported where there is neither.
Result<Hierarchy> freezing_hierarchy(const Host& host);

// The directory of our cgroup for `name` (an injection's id, or id + ".undo"): HIERARCHY/arashi/NAME. Not made.
Result<std::filesystem::path> own_cgroup(const Host& host, std::string_view name);
// Makes it; right if it is there.
Result<std::filesystem::path> make_own_cgroup(const Host& host, std::string_view name);

// The processes in it and, with `below`, in all cgroups under it. Blame::missing if it is gone.
Result<std::vector<std::int32_t>> pids_in(const std::filesystem::path& directory);
Result<std::vector<std::int32_t>> pids_in_and_below(const std::filesystem::path& directory);

// SIGKILL to all in it and below, and waits until it is empty, at most 5 s. Also when it is frozen. Right if it is gone.
Result<void> kill_cgroup(const std::filesystem::path& directory);
// Removes it, the ones below first; it must be empty. Right if it is gone.
Result<void> remove_cgroup(const std::filesystem::path& directory);

struct FreezerState {
  bool asked = false;   // this cgroup's own setting, not its parent's
  bool frozen = false;  // all of its tasks stand still
};
// Errors with Blame::missing when it is gone.
Result<FreezerState> freezer_state(const std::filesystem::path& directory);
// 2 for a v2 directory with cgroup.freeze, 1 for one of the v1 freezer, 0 for one that cannot be frozen (a root too).
int freezer_version(const std::filesystem::path& directory);
// Returns once all tasks stand still, or an error after `patience` (then it is left as asked).
Result<void> freeze(const std::filesystem::path& directory, Duration patience);
Result<void> thaw(const std::filesystem::path& directory);

// A millisecond's pause of this thread, while it waits for what the kernel announces to no one (v1 freezer, a task's stop).
void breathe();

}  // namespace arashi
