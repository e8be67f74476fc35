// The machine as text, before and after: whatever a fault leaves behind shows up as a line of difference.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace arashi::testing {

// What to look at. The machine is shared, so only what a test can tell as its own or Arashi's is compared.
struct Extent {
  std::vector<std::string> netns;                  // names below /run/netns: qdiscs, filters, links, addresses, routes, nft of each
  std::vector<std::filesystem::path> directories;  // files and mounts below; files with size and checksum
  std::vector<std::filesystem::path> cgroups;      // those below, with their processes and freezer
  std::vector<std::int32_t> processes;             // their name and state
  std::vector<std::string> ids;                    // injections: their cgroups, processes and BPF objects; empty: those of all
  std::string marker;                              // "NAME=VALUE": processes with this in their environment are listed
};

// Section name → sorted lines.
using Snapshot = std::map<std::string, std::vector<std::string>>;

Snapshot take(const Extent& scope);

// Empty when equal; else "SECTION: - line" and "SECTION: + line", one per line.
std::string difference(const Snapshot& before, const Snapshot& after);

}  // namespace arashi::testing
