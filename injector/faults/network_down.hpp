// The record of network.down, which is what the worker of a flapping one is told, and what that worker tells.
#pragma once

#include "injector/core/units.hpp"
#include "injector/host/device_state.hpp"
#include "injector/host/netns.hpp"

#include <cstdint>
#include <string>

namespace arashi::network_down {

struct Change {
  std::string id;
  Netns netns;
  DeviceState state;
  Duration every{}, down_for{};  // zero: once, and it stays down
  static constexpr auto keys = std::tuple(key("id", &Change::id), key("netns", &Change::netns), key("state", &Change::state),
                                          key("every", &Change::every), key("downFor", &Change::down_for));
};

struct Stats {
  std::uint64_t falls = 0, missed = 0;
  Duration mean_down{};  // of the falls that are over
  static constexpr auto keys = std::tuple(key("falls", &Stats::falls), key("missed", &Stats::missed), key("meanDownNs", &Stats::mean_down));
};

}  // namespace arashi::network_down
