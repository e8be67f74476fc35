// Which packets a network fault hits: direction × peers × protocol × ports, all given ones ANDed. Pure.
#pragma once

#include "injector/core/cidr.hpp"
#include "injector/core/json_fwd.hpp"
#include "injector/core/keys.hpp"
#include "injector/core/ports.hpp"
#include "injector/core/result.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace arashi {

enum class Protocol { any, tcp, udp, icmp, sctp };  // icmp is ICMPv6 for v6
std::string_view name_of(Protocol protocol);
Result<Protocol> protocol_named(std::string_view name);

template <>
struct AsText<Protocol> {
  static std::string print(Protocol protocol) { return std::string(name_of(protocol)); }
  static Result<Protocol> parse(std::string_view text) { return protocol_named(text); }
};

// A DSCP by its name or number: "ef", "af41", "cs3", "46" (RFC 2474, 2597, 3246, 5865, 8622).
Result<std::uint8_t> parse_dscp(std::string_view text);
std::string dscp_text(std::uint8_t point);

// A host name and what it stands for now.
struct NamedPeer {
  std::string name;
  std::vector<Cidr> addresses;
  bool operator==(const NamedPeer&) const = default;
  static constexpr auto keys = std::tuple(key("name", &NamedPeer::name), key("addresses", &NamedPeer::addresses));
};

// Whose /etc/hosts and /etc/resolv.conf tell what a host name stands for.
struct Resolver {
  std::string root = "/", overlay;  // a directory whose files come before root's /etc; empty: none
  bool operator==(const Resolver&) const = default;
  static constexpr auto keys = std::tuple(key("root", &Resolver::root), key("overlay", &Resolver::overlay));
};

struct Traffic {
  bool egress = true, ingress = false;
  std::vector<Cidr> peers;              // remote addresses; none, and no names: everyone
  std::vector<Cidr> except;             // remote addresses never hit
  std::vector<NamedPeer> peer_names;    // of peers; asked again and again while the fault is there
  std::vector<NamedPeer> except_names;  // likewise
  Resolver resolver;                    // of the names
  Protocol protocol = Protocol::any;
  std::vector<PortRange> ports;        // remote; empty: any, also packets without ports
  std::vector<PortRange> local_ports;  // likewise
  std::vector<std::uint8_t> dscp;      // 0 to 63; empty: any
  bool spare_open = false;             // of TCP and SCTP only what opens a connection, so that those that are open go on
  // The control path, always passed whatever the above says: TCP with this port (0: none) on the far side, at home on the near one too.
  std::uint16_t control_port = 0;
  bool at_home = false;                // the agent's own namespace
  [[nodiscard]] bool hits_v4() const;  // whether any packet of this family can be hit at all
  [[nodiscard]] bool hits_v6() const;
  [[nodiscard]] bool meets_everyone() const;          // no peer is asked for
  [[nodiscard]] bool has_exceptions() const;          // an exception, or a name of one
  [[nodiscard]] bool has_names() const;               // something has to be asked again
  [[nodiscard]] std::vector<Cidr> all_peers() const;  // with what the names stand for now
  bool operator==(const Traffic&) const = default;
  static constexpr auto keys =
      std::tuple(key("egress", &Traffic::egress), key("ingress", &Traffic::ingress), key("peers", &Traffic::peers),
                 key("except", &Traffic::except), key("peerNames", &Traffic::peer_names), key("exceptNames", &Traffic::except_names),
                 key("resolver", &Traffic::resolver), key("protocol", &Traffic::protocol), key("ports", &Traffic::ports),
                 key("localPorts", &Traffic::local_ports), key("dscp", &Traffic::dscp), key("spareOpen", &Traffic::spare_open),
                 key("controlPort", &Traffic::control_port), key("atHome", &Traffic::at_home));
};

// The same with the addresses that its names stand for now in their place.
Traffic without_names(Traffic traffic);

// Reads direction, peers, except, protocol, ports, localPorts, dscp from canonical parameters; refuses what contradicts itself. Names have
// no addresses yet.
Result<Traffic> traffic_from_params(const Json& canonical);
// The same, whoever the peers and the exceptions are: in a spec they may still be names of targets.
Result<Traffic> traffic_but_peers(const Json& canonical);
// "egress tcp to 10.0.0.1, 10.0.0.2 port 6379", for people.
std::string to_text(const Traffic& traffic);

// What a longest-prefix table must hold so that one lookup of the remote address tells what to do with it.
enum class Verdict : std::uint8_t { pass = 0, hit = 1 };
struct PeerRule {
  Cidr block;
  Verdict verdict = Verdict::pass;
  auto operator<=>(const PeerRule&) const = default;
};
std::vector<PeerRule> peer_rules(const Traffic& traffic);  // sorted, one per block

}  // namespace arashi
