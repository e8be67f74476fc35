// The record of ports.exhaust, which is what its worker is told, and what the worker tells.
#pragma once

#include "injector/host/netns.hpp"

#include <cstdint>
#include <string>

namespace arashi::ports_exhaust {

struct Change {
  std::string id;
  Netns netns;
  std::string protocol;       // tcp, udp, both
  std::uint64_t free = 0;     // ports that are left
  std::uint64_t sockets = 0;  // that are bound
  std::uint64_t total = 0;    // ephemeral ports
  static constexpr auto keys = std::tuple(key("id", &Change::id), key("netns", &Change::netns), key("protocol", &Change::protocol),
                                          key("free", &Change::free), key("sockets", &Change::sockets), key("total", &Change::total));
};

struct Stats {
  std::uint64_t held = 0, busy = 0;  // ports: by the worker, by others
  bool refused = false;              // who wants one gets none
  static constexpr auto keys = std::tuple(key("held", &Stats::held), key("busy", &Stats::busy), key("refused", &Stats::refused));
};

}  // namespace arashi::ports_exhaust
