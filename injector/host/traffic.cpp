#include "injector/host/traffic.hpp"

#include "injector/core/json.hpp"
#include "injector/core/params.hpp"
#include "injector/core/peer.hpp"

#include <algorithm>
#include <charconv>
#include <optional>
#include <set>

namespace arashi {

namespace {

constexpr std::uint8_t mapped_bits = 96;
constexpr std::size_t most_peers = 10000;

template <class Number>
std::optional<Number> whole_number(std::string_view text) {
  Number number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return number;
}

Result<Cidr> block_of(const std::string& text) {
  auto peer = TRY(parse_peer(text));
  if (peer.kind == Peer::Kind::block) return peer.block;
  if (peer.kind == Peer::Kind::name) return fail(Blame::unsupported, "'", text, "' is a host name: give its addresses");
  return fail(Blame::input, "{target: ", peer.name, "} stands for a group of the experiment, which the plan turns into addresses");
}

Result<std::vector<Cidr>> blocks_of(const Json& canonical, std::string_view name) {
  std::vector<Cidr> blocks;
  for (const auto& text : list_param(canonical, name)) {
    auto block = block_of(text);
    if (!block) return because(block.error(), name);
    blocks.push_back(*block);
  }
  if (blocks.size() > most_peers) return fail(Blame::input, name, " has ", blocks.size(), " entries: at most ", most_peers, " are taken");
  return blocks;
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

template <class Items>
std::string joined(const Items& items) {
  constexpr std::size_t shown = 4;
  std::string text;
  for (std::size_t i = 0; i < items.size() && i < shown; ++i) text += (i > 0 ? ", " : "") + to_text(items[i]);
  if (items.size() > shown) text += " and " + std::to_string(items.size() - shown) + " more";
  return text;
}

template <class Items>
Json texts(const Items& items) {
  Json list = Json::array();
  for (const auto& item : items) list.push_back(to_text(item));
  return list;
}

}  // namespace

Result<PortRange> parse_ports(std::string_view text) {
  const auto dash = text.find('-');
  const auto first = whole_number<std::uint16_t>(text.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : whole_number<std::uint16_t>(text.substr(dash + 1));
  if (!first || !last || *first == 0) return fail(Blame::input, "'", text, "' is not a port (1 to 65535) or a range such as 8000-8100");
  if (*last < *first) return fail(Blame::input, "'", text, "' is a range that ends before it begins");
  return PortRange{*first, *last};
}

std::string to_text(PortRange range) {
  return range.first == range.last ? std::to_string(range.first) : std::to_string(range.first) + "-" + std::to_string(range.last);
}

std::string_view name_of(Protocol protocol) {
  switch (protocol) {
    case Protocol::tcp:
      return "tcp";
    case Protocol::udp:
      return "udp";
    case Protocol::icmp:
      return "icmp";
    case Protocol::any:
      break;
  }
  return "any";
}

namespace {

Result<Protocol> protocol_from(std::string_view name) {
  for (const auto protocol : {Protocol::any, Protocol::tcp, Protocol::udp, Protocol::icmp})
    if (name_of(protocol) == name) return protocol;
  return fail(Blame::input, "protocol '", name, "' is not one of any, tcp, udp, icmp");
}

Result<void> check(const Traffic& traffic) {
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
  Traffic traffic;
  const auto direction = text_param(canonical, "direction").value_or("egress");
  traffic.egress = direction != "ingress";
  traffic.ingress = direction != "egress";
  traffic.peers = TRY(blocks_of(canonical, "peers"));
  traffic.except = TRY(blocks_of(canonical, "except"));
  traffic.protocol = TRY(protocol_from(text_param(canonical, "protocol").value_or("any")));
  traffic.ports = TRY(ranges_of(canonical, "ports"));
  traffic.local_ports = TRY(ranges_of(canonical, "localPorts"));
  TRY(check(traffic));
  return traffic;
}

std::string to_text(const Traffic& traffic) {
  std::string text = traffic.egress && traffic.ingress ? "both directions" : traffic.egress ? "egress" : "ingress";
  if (traffic.protocol != Protocol::any) text += " " + std::string(name_of(traffic.protocol));
  text += traffic.peers.empty() ? " with everyone" : " with " + joined(traffic.peers);
  if (!traffic.except.empty()) text += " except " + joined(traffic.except);
  if (!traffic.ports.empty()) text += ", remote port " + joined(traffic.ports);
  if (!traffic.local_ports.empty()) text += ", local port " + joined(traffic.local_ports);
  return text;
}

bool Traffic::hits_v4() const { return peers.empty() || std::ranges::any_of(peers, &Cidr::v4); }
bool Traffic::hits_v6() const { return peers.empty() || !std::ranges::all_of(peers, &Cidr::v4); }

namespace {

const Cidr all_v4{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, mapped_bits};

}  // namespace

std::vector<PeerRule> peer_rules(const Traffic& traffic) {
  std::set<PeerRule> rules;
  const auto is_any = [](const auto& blocks, const auto& block, auto says) {
    return std::ranges::any_of(blocks, [&](const Cidr& other) { return says(other, block); });
  };
  const auto covers = [](const Cidr& outer, const Cidr& inner) { return outer.contains(inner); };
  const auto same = [](const Cidr& one, const Cidr& other) { return one == other; };
  if (traffic.peers.empty() && !is_any(traffic.except, Cidr{{}, 0}, same)) rules.insert({{{}, 0}, Verdict::hit});
  // The longest prefix wins in the table, but "except" wins here: a peer inside an exception must not get a longer entry of its own.
  for (const auto& peer : traffic.peers)
    if (!is_any(traffic.except, peer, covers) && !is_any(traffic.control_peers, peer, covers)) rules.insert({peer, Verdict::hit});
  for (const auto& kept : traffic.except)
    if (!is_any(traffic.control_peers, kept, covers)) rules.insert({kept, Verdict::pass});
  for (const auto& control : traffic.control_peers) rules.insert({control, Verdict::control});
  // "::/0" means IPv6; in the mapped form it would hold every v4 address too.
  const auto wide = [](const PeerRule& rule) { return !rule.block.v4() && rule.block.contains(all_v4); };
  const auto says_v4 = [](const PeerRule& rule) { return rule.block == all_v4; };
  if (!traffic.peers.empty() && std::ranges::any_of(rules, wide) && std::ranges::none_of(rules, says_v4))
    rules.insert({all_v4, Verdict::pass});
  return {rules.begin(), rules.end()};
}

void to_json(Json& json, const Traffic& traffic) {
  json = Json{{"egress", traffic.egress},
              {"ingress", traffic.ingress},
              {"peers", texts(traffic.peers)},
              {"except", texts(traffic.except)},
              {"protocol", name_of(traffic.protocol)},
              {"ports", texts(traffic.ports)},
              {"localPorts", texts(traffic.local_ports)},
              {"controlPeers", texts(traffic.control_peers)},
              {"controlPort", traffic.control_port}};
}

namespace {

template <class Item>
std::vector<Item> items(const Json& json, const char* name, Result<Item> (*parse)(std::string_view)) {
  std::vector<Item> found;
  for (const auto& text : json.at(name))
    if (auto item = parse(text.get<std::string>())) found.push_back(*item);
  return found;
}

}  // namespace

void from_json(const Json& json, Traffic& traffic) {
  traffic.egress = json.at("egress").get<bool>();
  traffic.ingress = json.at("ingress").get<bool>();
  traffic.peers = items(json, "peers", parse_cidr);
  traffic.except = items(json, "except", parse_cidr);
  traffic.protocol = protocol_from(json.at("protocol").get<std::string>()).value_or(Protocol::any);
  traffic.ports = items(json, "ports", parse_ports);
  traffic.local_ports = items(json, "localPorts", parse_ports);
  traffic.control_peers = items(json, "controlPeers", parse_cidr);
  traffic.control_port = json.at("controlPort").get<std::uint16_t>();
}

}  // namespace arashi
