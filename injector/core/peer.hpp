// One of the peers that a network fault is about, as a spec writes it and as it travels.
#pragma once

#include "injector/core/cidr.hpp"
#include "injector/core/json_fwd.hpp"
#include "injector/core/result.hpp"

#include <string>
#include <string_view>

namespace arashi {

// In a spec       canonical        who turns it into addresses
// 10.0.0.0/8      "10.0.0.0/8"     it is one
// ledger.pay      "ledger.pay"     the agent, with the target's resolver, again and again
// {target: wallet}  "target:wallet"  the plan, from that group's victims; an agent never sees it
struct Peer {
  enum class Kind { block, name, group };
  Kind kind = Kind::block;
  Cidr block;        // Kind::block
  std::string name;  // Kind::name: a host; Kind::group: a target of the experiment
  bool operator==(const Peer&) const = default;
};
Result<Peer> parse_peer(std::string_view canonical);
std::string to_text(const Peer& peer);  // canonical

// What a spec gives for one peer, a text or {target: NAME} → canonical.
Result<std::string> canonical_peer(const Json& given);

}  // namespace arashi
