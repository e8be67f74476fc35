// Which packets a network fault hits: direction × peers × protocol × ports, all given ones ANDed. Pure.
#pragma once

#include "injector/core/cidr.hpp"
#include "injector/core/json_fwd.hpp"
#include "injector/core/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace arashi {

struct PortRange {
  std::uint16_t first = 0, last = 0;
  auto operator<=>(const PortRange&) const = default;
};
Result<PortRange> parse_ports(std::string_view text);  // "6379", "8000-8100"
std::string to_text(PortRange range);

enum class Protocol { any, tcp, udp, icmp };  // icmp is ICMPv6 for v6
std::string_view name_of(Protocol protocol);

struct Traffic {
  bool egress = true, ingress = false;
  std::vector<Cidr> peers;   // remote addresses; empty: everyone
  std::vector<Cidr> except;  // remote addresses never hit
  Protocol protocol = Protocol::any;
  std::vector<PortRange> ports;        // remote; empty: any, also packets without ports
  std::vector<PortRange> local_ports;  // likewise
  // The control path, always passed whatever the above says: these peers, and TCP with this port on either side (0: none).
  std::vector<Cidr> control_peers;
  std::uint16_t control_port = 0;
  [[nodiscard]] bool hits_v4() const;  // whether any packet of this family can be hit at all
  [[nodiscard]] bool hits_v6() const;
  bool operator==(const Traffic&) const = default;
};

// Reads direction, peers, except, protocol, ports, localPorts from canonical parameters; refuses what contradicts itself.
Result<Traffic> traffic_from_params(const Json& canonical);
// "egress tcp to 10.0.0.1, 10.0.0.2 port 6379", for people.
std::string to_text(const Traffic& traffic);

// What a longest-prefix table must hold so that one lookup of the remote address tells what to do with it.
enum class Verdict : std::uint8_t { pass = 0, hit = 1, control = 2 };
struct PeerRule {
  Cidr block;
  Verdict verdict = Verdict::pass;
  auto operator<=>(const PeerRule&) const = default;
};
std::vector<PeerRule> peer_rules(const Traffic& traffic);  // sorted, one per block

void to_json(Json& json, const Traffic& traffic);
void from_json(const Json& json, Traffic& traffic);

}  // namespace arashi
