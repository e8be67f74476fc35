#include "injector/network/traffic.hpp"

#include "injector/core/json.hpp"
#include "injector/core/params.hpp"
#include "injector/core/peer.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <optional>
#include <set>

namespace arashi {

namespace {

constexpr std::uint8_t mapped_bits = 96;
constexpr std::size_t most_peers = 10000;
constexpr std::size_t most_names = 100;

template <class Number>
std::optional<Number> whole_number(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// Blocks and names, each to its own.
Result<void> read_peers(const Json& canonical, std::string_view list, std::vector<Cidr>& blocks, std::vector<NamedPeer>& names) {
  for (const auto& text : list_param(canonical, list)) {
    auto peer = parse_peer(text);
    if (!peer) return because(peer.error(), list);
    if (peer->kind == Peer::Kind::group)
      return fail(Blame::input, list, ": {target: ", peer->name,
                  "} stands for a group of the experiment, which the plan turns into addresses");
    if (peer->kind == Peer::Kind::block) blocks.push_back(peer->block);
    if (peer->kind == Peer::Kind::name) names.push_back({.name = std::move(peer->name), .addresses = {}});
  }
  if (blocks.size() > most_peers) return fail(Blame::input, list, " has ", blocks.size(), " entries: at most ", most_peers, " are taken");
  if (names.size() > most_names) return fail(Blame::input, list, " has ", names.size(), " host names: at most ", most_names, " are taken");
  return {};
}

Result<std::vector<PortRange>> ranges_of(const Json& canonical, std::string_view name) {
  std::vector<PortRange> ranges;
  for (const auto& text : list_param(canonical, name)) {
    auto range = parse_ports(text);
    if (!range) return because(range.error(), name);
    ranges.push_back(*range);
  }
  return ranges;
}

const std::string& to_text(const std::string& text) { return text; }

std::vector<std::string> together(const std::vector<NamedPeer>& names, const std::vector<Cidr>& blocks) {
  std::vector<std::string> texts;
  texts.reserve(names.size() + blocks.size());
  for (const auto& one : names) texts.push_back(one.name);
  for (const auto& block : blocks) texts.push_back(to_text(block));
  return texts;
}

std::vector<Cidr> with_names(std::vector<Cidr> blocks, const std::vector<NamedPeer>& names) {
  for (const auto& one : names) blocks.insert(blocks.end(), one.addresses.begin(), one.addresses.end());
  return blocks;
}

template <class Items>
std::string joined(const Items& items) {
  constexpr std::size_t shown = 4;
  std::string text;
  for (std::size_t i = 0; i < items.size() && i < shown; ++i) text += (i > 0 ? ", " : "") + to_text(items[i]);
  if (items.size() > shown) text += " and " + std::to_string(items.size() - shown) + " more";
  return text;
}

}  // namespace

namespace {

struct Dscp {
  std::string_view name;
  std::uint8_t point;
};
constexpr std::array code_points{Dscp{"be", 0},    Dscp{"le", 1},    Dscp{"cs0", 0},   Dscp{"cs1", 8},   Dscp{"af11", 10}, Dscp{"af12", 12},
                                 Dscp{"af13", 14}, Dscp{"cs2", 16},  Dscp{"af21", 18}, Dscp{"af22", 20}, Dscp{"af23", 22}, Dscp{"cs3", 24},
                                 Dscp{"af31", 26}, Dscp{"af32", 28}, Dscp{"af33", 30}, Dscp{"cs4", 32},  Dscp{"af41", 34}, Dscp{"af42", 36},
                                 Dscp{"af43", 38}, Dscp{"cs5", 40},  Dscp{"va", 44},   Dscp{"ef", 46},   Dscp{"cs6", 48},  Dscp{"cs7", 56}};

}  // namespace

Result<std::uint8_t> parse_dscp(std::string_view text) {
  std::string small(text);
  std::ranges::transform(small, small.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const auto known = std::ranges::find(code_points, std::string_view(small), &Dscp::name);
  if (known != code_points.end()) return known->point;
  const auto number = whole_number<std::uint8_t>(text);
  if (number && *number < 64) return *number;
  return fail(Blame::input, "dscp '", text, "' is neither a number from 0 to 63 nor a name such as ef, af41, cs3, va, le or be");
}

std::string dscp_text(std::uint8_t point) {
  const auto known = std::ranges::find(code_points, point, &Dscp::point);
  return known == code_points.end() ? std::to_string(point) : std::string(known->name);
}

std::string_view name_of(Protocol protocol) {
  switch (protocol) {
    case Protocol::tcp:
      return "tcp";
    case Protocol::udp:
      return "udp";
    case Protocol::icmp:
      return "icmp";
    case Protocol::sctp:
      return "sctp";
    case Protocol::any:
      break;
  }
  return "any";
}

Result<Protocol> protocol_named(std::string_view name) {
  for (const auto protocol : {Protocol::any, Protocol::tcp, Protocol::udp, Protocol::icmp, Protocol::sctp})
    if (name_of(protocol) == name) return protocol;
  return fail(Blame::input, "protocol '", name, "' is not one of any, tcp, udp, icmp, sctp");
}

namespace {

// An empty list would mean everyone, which is rarely what someone means who writes one.
Result<void> check_not_empty(const Json& canonical, std::string_view list) {
  const auto given = canonical.find(list);
  if (given == canonical.end() || !given->is_array() || !given->empty()) return {};
  return fail(Blame::input, list, ": an empty list names nobody; leave ", list, " out if ", list == "peers" ? "everyone" : "no exception",
              " is meant");
}

bool spares_everyone(const std::vector<Cidr>& except) {
  static const Cidr v4 = *parse_cidr("0.0.0.0/0"), v6 = *parse_cidr("::/0");
  const auto has = [&](const Cidr& all) { return std::ranges::find(except, all) != except.end(); };
  return has(v4) && has(v6);
}

Result<void> check(const Traffic& traffic) {
  if (spares_everyone(traffic.except)) return fail(Blame::input, "except has all of IPv4 and IPv6: nothing would be hit");
  const bool ports = !traffic.ports.empty() || !traffic.local_ports.empty();
  if (ports && traffic.protocol == Protocol::icmp) return fail(Blame::input, "icmp has no ports: leave out ports, or protocol");
  for (const auto& peer : traffic.peers)
    for (const auto& kept : traffic.except)
      if (kept.contains(peer))
        return fail(Blame::input, "peer ", to_text(peer), " lies within except ", to_text(kept), ": nothing of it would be hit");
  return {};
}

}  // namespace

Result<Traffic> traffic_from_params(const Json& canonical) {
  for (const auto* list : {"peers", "except"}) TRY(check_not_empty(canonical, list));
  Traffic traffic;
  const auto direction = text_param(canonical, "direction").value_or("egress");
  traffic.egress = direction != "ingress";
  traffic.ingress = direction != "egress";
  TRY(read_peers(canonical, "peers", traffic.peers, traffic.peer_names));
  TRY(read_peers(canonical, "except", traffic.except, traffic.except_names));
  traffic.protocol = TRY(protocol_named(text_param(canonical, "protocol").value_or("any")));
  traffic.ports = TRY(ranges_of(canonical, "ports"));
  traffic.local_ports = TRY(ranges_of(canonical, "localPorts"));
  for (const auto& text : list_param(canonical, "dscp")) traffic.dscp.push_back(TRY(parse_dscp(text)));
  TRY(check(traffic));
  return traffic;
}

Result<Traffic> traffic_but_peers(const Json& canonical) {
  for (const auto* list : {"peers", "except"}) TRY(check_not_empty(canonical, list));
  Json others = canonical;
  others.erase("peers");
  others.erase("except");
  return traffic_from_params(others);
}

std::string to_text(const Traffic& traffic) {
  std::string text = traffic.egress && traffic.ingress ? "both directions" : traffic.egress ? "egress" : "ingress";
  if (traffic.protocol != Protocol::any) text += " " + std::string(name_of(traffic.protocol));
  text += traffic.meets_everyone() ? " with everyone" : " with " + joined(together(traffic.peer_names, traffic.peers));
  if (traffic.has_exceptions()) text += " except " + joined(together(traffic.except_names, traffic.except));
  if (!traffic.ports.empty()) text += ", remote port " + joined(traffic.ports);
  if (!traffic.local_ports.empty()) text += ", local port " + joined(traffic.local_ports);
  for (const auto point : traffic.dscp) text += (point == traffic.dscp.front() ? ", DSCP " : ", ") + dscp_text(point);
  if (traffic.spare_open) text += ", connections that are open go on";
  return text;
}

bool Traffic::hits_v4() const { return peers.empty() || has_names() || std::ranges::any_of(peers, &Cidr::v4); }
bool Traffic::hits_v6() const { return peers.empty() || has_names() || !std::ranges::all_of(peers, &Cidr::v4); }
bool Traffic::meets_everyone() const { return peers.empty() && peer_names.empty(); }
bool Traffic::has_exceptions() const { return !except.empty() || !except_names.empty(); }
bool Traffic::has_names() const { return !peer_names.empty() || !except_names.empty(); }

Traffic without_names(Traffic traffic) {
  traffic.peers = with_names(traffic.peers, traffic.peer_names);
  traffic.except = with_names(traffic.except, traffic.except_names);
  traffic.peer_names.clear();
  traffic.except_names.clear();
  return traffic;
}

std::vector<Cidr> Traffic::all_peers() const { return with_names(peers, peer_names); }

namespace {

const Cidr all_v4{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, mapped_bits};

}  // namespace

std::vector<PeerRule> peer_rules(const Traffic& traffic) {
  std::set<PeerRule> rules;
  const auto peers = traffic.all_peers();
  const auto except = with_names(traffic.except, traffic.except_names);
  const auto is_any = [](const auto& blocks, const auto& block, auto says) {
    return std::ranges::any_of(blocks, [&](const Cidr& other) { return says(other, block); });
  };
  const auto covers = [](const Cidr& outer, const Cidr& inner) { return outer.contains(inner); };
  const auto same = [](const Cidr& one, const Cidr& other) { return one == other; };
  if (traffic.meets_everyone() && !is_any(except, Cidr{{}, 0}, same)) rules.insert({{{}, 0}, Verdict::hit});
  // The longest prefix wins in the table, but "except" wins here: a peer inside an exception must not get a longer entry of its own.
  for (const auto& peer : peers)
    if (!is_any(except, peer, covers)) rules.insert({peer, Verdict::hit});
  for (const auto& kept : except) rules.insert({kept, Verdict::pass});
  // "::/0" means IPv6; in the mapped form it would hold every v4 address too.
  const auto wide = [](const PeerRule& rule) { return !rule.block.v4() && rule.block.contains(all_v4); };
  const auto says_v4 = [](const PeerRule& rule) { return rule.block == all_v4; };
  if (!traffic.meets_everyone() && std::ranges::any_of(rules, wide) && std::ranges::none_of(rules, says_v4))
    rules.insert({all_v4, Verdict::pass});
  return {rules.begin(), rules.end()};
}

}  // namespace arashi
