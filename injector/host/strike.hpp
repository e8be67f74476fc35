// Signals to processes given by identity, and what became of them.
#pragma once

#include "injector/core/keys.hpp"
#include "injector/core/result.hpp"
#include "injector/core/units.hpp"
#include "injector/host/host.hpp"

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

namespace arashi {

struct Identity {
  std::int32_t pid = 0;
  std::uint64_t start_time = 0;
  bool operator==(const Identity&) const = default;
  static constexpr auto keys = std::tuple(key("pid", &Identity::pid), key("startTime", &Identity::start_time));
};

struct Struck {
  std::uint64_t sent = 0;   // signals delivered to the identity
  std::uint64_t ended = 0;  // of these, processes that ended within the patience
};

// The living user processes in a cgroup and below. Blame::refused when the agent itself or process 1 is among them.
Result<std::vector<Identity>> processes_below(const Host& host, const std::filesystem::path& cgroup);

// Sends the signal to each that still lives. With a patience it waits that long for their ends (all together).
Result<Struck> strike(const Host& host, std::span<const Identity> victims, int signal, Duration patience);

// How many of them are there, and how many of these stand stopped (state T).
struct Standing {
  std::uint64_t alive = 0, stopped = 0;
};
Standing look_at(const Host& host, std::span<const Identity> victims);

}  // namespace arashi
