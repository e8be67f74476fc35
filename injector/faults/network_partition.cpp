// Cuts a network namespace off from some peers, or from everyone but the control path.
#include "injector/host/netns.hpp"
#include "injector/host/qdisc.hpp"
#include "injector/make_fault.hpp"
#include "injector/network/bpf.hpp"
#include "injector/network/connections.hpp"
#include "injector/network/impairment.hpp"
#include "injector/network/network_place.hpp"
#include "injector/network/network_scope.hpp"
#include "injector/network/traffic_params.hpp"

#include <algorithm>
#include <array>
#include <optional>

namespace arashi {

extern const Fault network_partition_fault;

namespace {

constexpr std::array<std::string_view, 3> fates_of_established{"stall", "keep", "reset"};

constexpr std::array params{
    Param{.name = "peers",
          .type = ParamType::peers,
          .summary = "addresses, blocks, host names or target groups to be cut off from, v4 and v6; left out: from everyone but the "
                     "control path",
          .example = "[10.0.0.7, \"2001:db8::/32\", {target: wallet}]"},
    except_param,
    direction_param("both"),
    protocol_param,
    ports_param,
    local_ports_param,
    dscp_param,
    device_param,
    Param{.name = "established",
          .type = ParamType::choice,
          .summary = "connections that are open: stall: they hang, as in a real partition; keep: they go on, and only new ones fail; "
                     "reset: they are reset first, then all is cut",
          .example = "keep",
          .fallback = "stall",
          .choices = fates_of_established},
};

struct Change : ImpairmentChange {
  std::string established;  // one of fates_of_established
  static constexpr auto keys = std::tuple_cat(ImpairmentChange::keys, std::tuple(key("established", &Change::established)));
};

std::string established_of(const Json& canonical) { return text_param(canonical, "established").value_or("stall"); }

Result<void> check_established(const std::string& established, const Traffic& traffic) {
  if (established == "stall") return {};
  const auto only = [&](Protocol protocol) { return traffic.protocol == protocol; };
  if (only(Protocol::udp) || only(Protocol::icmp))
    return fail(Blame::input, "established: ", established, " is for connections, which ", name_of(traffic.protocol), " has none of");
  if (established == "keep") return {};
  if (only(Protocol::sctp)) return fail(Blame::input, "established: reset is for TCP, and not for protocol: sctp");
  if (!traffic.dscp.empty())
    return fail(Blame::input, "established: reset with dscp: a connection has no DSCP, only its packets do; take stall or keep");
  return {};
}

Result<void> check(const Json& canonical) { return check_established(established_of(canonical), TRY(traffic_but_peers(canonical))); }

Result<Prepared<Change>> prepare(const Host& host, const Request& request) {
  auto impairment = TRY(place_impairment(host, request.id, request.victim, request.params));
  const auto established = established_of(request.params);
  TRY(check_established(established, impairment.traffic));
  if (established == "reset") {
    TRY(probe_sock_destroy());
    if (impairment.cgroup) TRY(probe_socket_cgroups());
  }
  impairment.effects.loss = 1;
  impairment.traffic.spare_open = established != "stall";  // with reset, until they are
  const auto choice = TRY(choose_backend(host, impairment, "bpf"));
  Prepared<Change> prepared{.change = {{.backend = choice.backend, .impairment = impairment, .notes = choice.notes}, established},
                            .claims = claims_of(impairment),
                            .mechanism = std::string(choice.backend->name),
                            .because = with_scope("dropping needs no more than a filter", impairment),
                            .undo = choice.backend->undo(impairment)};
  if (established != "reset") return prepared;
  prepared.mechanism += ", sock_destroy";
  prepared.undo += "; a connection that was reset is not opened again: that is its owner's affair";
  return prepared;
}

struct Resets {
  std::uint64_t matched = 0, reset = 0;
};

// Whether the fault's devices are on the way of a connection; its packets on others are not hit.
Result<bool> is_on_the_way(netlink::Socket& routes, const Impairment& impairment, const Connection& connection) {
  const auto device = TRY(route_device(routes, connection.remote));
  return device && std::ranges::find(impairment.devices, *device, &Device::index) != impairment.devices.end();
}

Result<Resets> reset_open(const Host& host, const Impairment& impairment) {
  auto routes = TRY(socket_in(host, impairment.netns));
  const auto netns = TRY(open_netns(host, impairment.netns));
  auto socket = TRY(netlink::Socket::open(netns, netlink::Socket::Family::sock_diag));
  auto traffic = without_names(impairment.traffic);
  traffic.egress = traffic.ingress = true;  // whoever opened it, whichever way its packets are cut
  Resets resets;
  for (const auto& each : TRY(connections_of(host, socket, impairment.cgroup))) {
    if (!matches(traffic, each)) continue;
    if (!TRY(is_on_the_way(routes, impairment, each))) continue;
    ++resets.matched;
    if (TRY(destroy(socket, each))) ++resets.reset;
  }
  return resets;
}

// New connections fail from the first moment on, so none that is reset is opened again; the resets themselves still get through.
Result<Evidence> apply(const Host& host, const Change& change) {
  auto evidence = TRY(apply_impairment(host, change));
  if (change.established != "reset") return evidence;
  const auto resets = TRY(reset_open(host, change.impairment));
  for (const auto program : TRY(change.backend->programs(host, change.impairment))) TRY(hit_open_connections(program));
  const auto note = std::to_string(resets.reset) + " of " + std::to_string(resets.matched) + " connections";
  evidence.values.push_back({.what = "open connections reset",
                             .unit = "count",
                             .requested = static_cast<double>(resets.matched),
                             .achieved = static_cast<double>(resets.reset),
                             .note = note});
  evidence.detail += "; " + std::to_string(resets.reset) + " open connections reset";
  return evidence;
}

}  // namespace

const Fault network_partition_fault = make_fault<prepare, apply, revert_impairment, observe_impairment>(
    {.name = "network.partition",
     .summary = "no packet gets to or from chosen peers; open connections stall, go on or are reset",
     .params = params,
     .scopes = network_scopes,
     .check = check});

}  // namespace arashi
