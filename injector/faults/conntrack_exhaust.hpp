// The record of conntrack.exhaust, which is what its worker is told, and what the worker tells.
#pragma once

#include "injector/host/netns.hpp"

#include <cstdint>
#include <string>

namespace arashi::conntrack_exhaust {

struct Change {
  std::string id;
  Netns netns;
  std::uint64_t wanted = 0;  // entries in use, others' included
  std::uint64_t most = 0;    // the table's limit
  static constexpr auto keys =
      std::tuple(key("id", &Change::id), key("netns", &Change::netns), key("wanted", &Change::wanted), key("most", &Change::most));
};

struct Stats {
  std::uint64_t count = 0, most = 0;  // entries in use, and the limit
  std::uint64_t ours = 0;
  std::uint64_t refusals = 0;  // times that there was no room for a new one, since the beginning
  static constexpr auto keys =
      std::tuple(key("count", &Stats::count), key("most", &Stats::most), key("ours", &Stats::ours), key("refusals", &Stats::refusals));
};

}  // namespace arashi::conntrack_exhaust
