// What the worker of a repeated process.kill is told, and what it tells.
#pragma once

#include "injector/core/units.hpp"
#include "injector/core/victim.hpp"

#include <cstdint>
#include <filesystem>
#include <vector>

namespace arashi::process_kill {

struct Config {
  Victim victim;
  std::int32_t signal = 0;
  Duration every{};
  std::uint64_t count = 0;                    // rounds; 0: until it is stopped
  std::vector<std::int32_t> protected_pids;   // never victims
  std::filesystem::path proc, cgroup, netns;  // of the Host
  static constexpr auto keys = std::tuple(key("victim", &Config::victim), key("signal", &Config::signal), key("every", &Config::every),
                                          key("count", &Config::count), key("protected", &Config::protected_pids),
                                          key("proc", &Config::proc), key("cgroup", &Config::cgroup), key("netns", &Config::netns));
};

struct Stats {
  std::uint64_t rounds = 0, kills = 0, missed = 0;
  static constexpr auto keys = std::tuple(key("rounds", &Stats::rounds), key("kills", &Stats::kills), key("missed", &Stats::missed));
};

}  // namespace arashi::process_kill
