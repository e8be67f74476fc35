// The record of dns.answer, which is what its worker is told, and what the worker tells.
#pragma once

#include "injector/core/cidr.hpp"
#include "injector/core/units.hpp"
#include "injector/host/netns.hpp"
#include "injector/network/impairment.hpp"
#include "injector/network/traffic.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace arashi::dns_answer {

// Which queries are hit, and how.
struct Rules {
  std::string answer;  // pass, nxdomain, servfail, timeout, address
  Duration delay{};
  std::vector<Cidr> addresses;       // for answer: address
  std::vector<std::string> names;    // patterns; none: every name
  std::vector<std::uint16_t> types;  // none: every type
  double share = 1;
  std::optional<std::uint64_t> seed;
  static constexpr auto keys =
      std::tuple(key("answer", &Rules::answer), key("delay", &Rules::delay), key("addresses", &Rules::addresses),
                 key("names", &Rules::names), key("types", &Rules::types), key("share", &Rules::share), key("seed", &Rules::seed));
};

// A cgroup whose queries alone are hit.
struct Scope {
  SocketCgroup cgroup;
  std::string nft_path;  // by which nft knows it
  static constexpr auto keys = std::tuple(key("cgroup", &Scope::cgroup), key("nftPath", &Scope::nft_path));
};

struct Change {
  std::string id;
  Netns netns;
  Traffic traffic;  // to which servers
  Rules rules;
  std::vector<std::uint16_t> ports;  // of loopback, on one of which the worker listens
  std::optional<Scope> scope;        // none: all of the namespace's
  static constexpr auto keys = std::tuple(key("id", &Change::id), key("netns", &Change::netns), key("traffic", &Change::traffic),
                                          key("rules", &Change::rules), key("ports", &Change::ports), key("scope", &Change::scope));
};

struct Stats {
  std::uint64_t queries = 0, matched = 0, affected = 0;
  static constexpr auto keys =
      std::tuple(key("queries", &Stats::queries), key("matched", &Stats::matched), key("affected", &Stats::affected));
};

}  // namespace arashi::dns_answer
