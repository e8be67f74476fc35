// The record of network.reset, which is what the worker of a lasting one is told, and what that worker tells.
#pragma once

#include "injector/core/units.hpp"
#include "injector/host/netns.hpp"
#include "injector/network/impairment.hpp"
#include "injector/network/traffic.hpp"

#include <cstdint>
#include <optional>
#include <string>

namespace arashi::network_reset {

struct Change {
  std::string id;
  Netns netns;
  Traffic traffic;
  std::optional<SocketCgroup> cgroup;  // only its sockets
  std::string nft_path;                // by which nft knows that cgroup; empty: there is none, or nft is not used
  double existing = 0, fresh = 0;      // shares of the open connections and of new ones
  Duration every{};                    // zero: once
  std::uint32_t seed = 0;
  static constexpr auto keys =
      std::tuple(key("id", &Change::id), key("netns", &Change::netns), key("traffic", &Change::traffic), key("cgroup", &Change::cgroup),
                 key("nftPath", &Change::nft_path), key("existing", &Change::existing), key("new", &Change::fresh),
                 key("every", &Change::every), key("seed", &Change::seed));
};

struct Stats {
  std::uint64_t rounds = 0, matched = 0, reset = 0;  // of open connections
  std::uint64_t opened = 0, refused = 0;             // of new ones
  static constexpr auto keys = std::tuple(key("rounds", &Stats::rounds), key("matched", &Stats::matched), key("reset", &Stats::reset),
                                          key("opened", &Stats::opened), key("refused", &Stats::refused));
};

}  // namespace arashi::network_reset
