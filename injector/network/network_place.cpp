#include "injector/network/network_place.hpp"

#include "injector/core/json.hpp"
#include "injector/core/params.hpp"
#include "injector/host/qdisc.hpp"
#include "injector/network/names.hpp"
#include "injector/network/network_scope.hpp"

#include <algorithm>
#include <optional>
#include <set>

namespace arashi {

namespace {

bool is_loopback(const Cidr& cidr) {
  static const Cidr v4 = *parse_cidr("127.0.0.0/8");
  static const Cidr v6 = *parse_cidr("::1");
  return v4.contains(cidr) || v6.contains(cidr);
}

bool is_any_of(const Cidr& peer, const std::vector<std::string>& addresses) {
  return std::ranges::any_of(addresses, [&](const std::string& text) {
    const auto address = parse_cidr(text);
    return address && *address == peer;
  });
}

// Loopback means another machine's or namespace's loopback elsewhere than at home.
Result<void> check_not_control(const ControlPath& control, const Traffic& traffic) {
  for (const auto& peer : traffic.all_peers()) {
    if (!traffic.at_home && is_loopback(peer)) continue;
    const char* who = is_any_of(peer, control.runner_addresses) ? "runner" : is_any_of(peer, control.agent_addresses) ? "agent" : nullptr;
    if (who != nullptr)
      return fail(Blame::refused, "peer ", to_text(peer), " is the ", who,
                  " itself, by the address at which this experiment is controlled: name the others, or a block that holds it; the control "
                  "connection alone is never hit");
  }
  return {};
}

// An incoming packet tells by its ports whose it is.
Result<void> check_cgroup(const Impairment& impairment) {
  if (!impairment.cgroup || !impairment.traffic.ingress || impairment.traffic.protocol != Protocol::icmp) return {};
  return fail(Blame::input, "incoming icmp can't be told to be for cgroup '", impairment.cgroup->path,
              "', which shares its network namespace with others: take direction egress");
}

// Says so where nothing would be left to hit, instead of a fault that never bites.
Result<void> exempt_control_path(const ControlPath& control, bool at_home, Traffic& traffic) {
  traffic.control_port = control.agent_port;
  traffic.at_home = at_home;
  const PortRange own{control.agent_port, control.agent_port};
  const auto only_own = [&](const std::vector<PortRange>& ports) { return ports.size() == 1 && ports.front() == own; };
  const bool nothing_left = only_own(traffic.ports) || (at_home && only_own(traffic.local_ports));
  if (control.agent_port != 0 && traffic.protocol == Protocol::tcp && nothing_left)
    return fail(Blame::refused, "port ", control.agent_port,
                " is the agent's own: the connections by which this fault is ended are never hit");
  return {};
}

Result<void> check_families(netlink::Socket& socket, const Traffic& traffic) {
  const auto has = TRY(families(socket));
  for (const auto& peer : traffic.peers) {  // of a name, one address that can be reached is enough
    if (is_loopback(peer)) continue;
    if (peer.v4() && !has.v4) return fail(Blame::input, "peer ", to_text(peer), " is IPv4, but the target has no IPv4 address");
    const bool all_v6 = peer.prefix == 0;
    if (!peer.v4() && !all_v6 && !has.v6) return fail(Blame::input, "peer ", to_text(peer), " is IPv6, but the target has no IPv6 address");
  }
  return {};
}

std::string names_of(const std::vector<Link>& present) {
  std::string text;
  for (const auto& link : present) text += (text.empty() ? "" : ", ") + link.device.name;
  return text;
}

Result<std::vector<Device>> named_device(const std::vector<Link>& present, const std::string& name) {
  for (const auto& link : present) {
    if (link.device.name != name) continue;
    if (!link.up) return fail(Blame::missing, "device '", name, "' is down");
    return std::vector<Device>{link.device};
  }
  return fail(Blame::missing, "there is no device '", name, "' in the target's network namespace; it has ", names_of(present));
}

Result<std::vector<Device>> all_devices(const std::vector<Link>& present) {
  std::vector<Device> devices;
  for (const auto& link : present)
    if (link.up && !link.loopback && !link.stacked && !link.ours) devices.push_back(link.device);
  if (devices.empty())
    return fail(Blame::missing, "no device but loopback is up in the target's network namespace (", names_of(present), ")");
  return devices;
}

Result<std::vector<Device>> routed_devices(netlink::Socket& socket, const std::vector<Link>& present, const std::vector<Cidr>& peers) {
  std::set<std::int32_t> wanted;
  for (const auto& peer : peers) {
    const auto device = TRY(route_device(socket, peer));
    if (!device) return fail(Blame::input, "the target has no route to peer ", to_text(peer));
    wanted.insert(*device);
  }
  std::vector<Device> devices;
  for (const auto& link : present)
    if (wanted.contains(link.device.index)) devices.push_back(link.device);
  // An address of the target's own is rarely meant; one of loopback always is, and then nothing else can be.
  const bool on_loopback = std::ranges::any_of(devices, &Device::loopback);
  if (on_loopback && !std::ranges::all_of(peers, is_loopback))
    return fail(Blame::input, "a peer is reached by loopback: if that is meant, say device: lo, or name peers of loopback alone");
  return devices;
}

Result<std::vector<Device>> choose_devices(netlink::Socket& socket, const Traffic& traffic, const std::optional<std::string>& named) {
  const auto present = TRY(links(socket));
  if (named) return named_device(present, *named);
  const auto is_block = [](const Cidr& peer) { return peer.prefix < 128; };
  // With many peers, asking for the route to each would take longer than all the rest.
  constexpr std::size_t most_routes = 64;
  // A block may be spread over several devices, a name may move to another one; the filter asks for the peer anyway.
  const bool at_loopback = !traffic.peers.empty() && !traffic.has_names() && std::ranges::all_of(traffic.peers, is_loopback);
  if (!at_loopback &&
      (traffic.peers.empty() || traffic.peers.size() > most_routes || traffic.has_names() || std::ranges::any_of(traffic.peers, is_block)))
    return all_devices(present);
  return routed_devices(socket, present, traffic.peers);
}

constexpr std::string_view cut_off = ": the one who ends the fault would be cut off";

Result<void> spare_ways_to_runners(const Host& host, netlink::Socket& socket, const Device& device) {
  for (const auto& text : host.control.runner_addresses) {
    const auto runner = TRY(parse_cidr(text));
    if (TRY(route_device(socket, runner)) == device.index)
      return fail(Blame::refused, "runner ", text, " speaks with the agent by ", device.name, cut_off);
  }
  if (host.control.agent_port == 0) return {};
  for (const auto* text : {"192.0.2.1", "2001:db8::1"}) {  // addresses that nobody has: they go where the default route goes
    const auto anyone = TRY(parse_cidr(text));
    if (TRY(route_device(socket, anyone)) == device.index)
      return fail(Blame::refused, device.name, " carries this machine's default route", cut_off);
  }
  return {};
}

Result<void> spare_runners_addresses(const Host& host, netlink::Socket& socket, const Device& device) {
  for (const auto& text : host.control.runner_addresses) {
    const auto runner = TRY(parse_cidr(text));
    if (!is_loopback(runner) && TRY(has_address(socket, device.index, runner)))
      return fail(Blame::refused, device.name, " has the runner's own address ", text, cut_off);
  }
  return {};
}

}  // namespace

Result<void> spare_control_path(const Host& host, const Netns& netns, netlink::Socket& socket, const Device& device) {
  const bool at_home = netns.inode == TRY(own_netns(host)).inode;
  if (at_home && device.name == "lo") return fail(Blame::refused, "the loopback of this machine stays up", cut_off);
  TRY(at_home ? spare_ways_to_runners(host, socket, device) : spare_runners_addresses(host, socket, device));
  return {};
}

Result<void> spare_runners(const Host& host, const Netns& netns, std::string_view what) {
  auto socket = TRY(socket_in(host, netns));
  const bool at_home = netns.inode == TRY(own_netns(host)).inode;
  const auto present = TRY(links(socket));
  for (const auto& text : host.control.runner_addresses) {
    const auto runner = TRY(parse_cidr(text));
    bool here = at_home && is_loopback(runner);
    for (const auto& link : present) here = here || (!is_loopback(runner) && TRY(has_address(socket, link.device.index, runner)));
    if (here) return fail(Blame::refused, "runner ", text, " is in this network namespace, and needs ", what, cut_off);
  }
  return {};
}

Result<Netns> netns_of(const Host& host, const Victim& victim) {
  auto scope = TRY(network_scope(host, victim));
  if (!scope.cgroup) return std::move(scope.netns);
  return fail(
      Blame::refused, victim.label,
      " shares its network namespace with others, whom this would hit as well; aim at the node or at the network namespace, if that "
      "is meant");
}

Result<TrafficPlace> place_traffic(const Host& host, const std::string& id, const Victim& victim, const Json& params, Names names) {
  auto scope = TRY(network_scope(host, victim));
  Impairment where{.id = id,
                   .netns = std::move(scope.netns),
                   .cgroup = std::move(scope.cgroup),
                   .devices = {},
                   .traffic = {},
                   .effects = {},
                   .seed = {}};
  where.traffic = TRY(traffic_from_params(params));
  const bool at_home = where.netns.inode == TRY(own_netns(host)).inode;
  TRY(exempt_control_path(host.control, at_home, where.traffic));
  if (where.traffic.has_names()) {
    if (names == Names::refused)
      return fail(Blame::input,
                  "a host name among the peers: this fault does not follow names while it is active; give addresses or blocks");
    where.traffic.resolver = resolver_of(host, victim);
    TRY(resolve_names(host, where));
    where.traffic = without_names(std::move(where.traffic));
  }
  TRY(check_not_control(host.control, where.traffic));
  auto socket = TRY(socket_in(host, where.netns));
  TRY(check_families(socket, where.traffic));
  return TrafficPlace{.netns = std::move(where.netns), .cgroup = std::move(where.cgroup), .traffic = std::move(where.traffic)};
}

Result<Impairment> place_impairment(const Host& host, const std::string& id, const Victim& victim, const Json& params) {
  Impairment impairment;
  impairment.id = id;
  auto scope = TRY(network_scope(host, victim));
  impairment.netns = std::move(scope.netns);
  impairment.cgroup = std::move(scope.cgroup);
  impairment.traffic = TRY(traffic_from_params(params));
  TRY(check_cgroup(impairment));
  const bool at_home = impairment.netns.inode == TRY(own_netns(host)).inode;
  TRY(exempt_control_path(host.control, at_home, impairment.traffic));
  if (impairment.traffic.has_names()) impairment.traffic.resolver = resolver_of(host, victim);
  TRY(resolve_names(host, impairment));
  TRY(check_not_control(host.control, impairment.traffic));
  auto socket = TRY(socket_in(host, impairment.netns));
  TRY(check_families(socket, impairment.traffic));
  impairment.devices = TRY(choose_devices(socket, impairment.traffic, text_param(params, "device")));
  if (const auto seed = number_param(params, "seed")) impairment.seed = static_cast<std::uint64_t>(*seed);
  return impairment;
}

}  // namespace arashi
