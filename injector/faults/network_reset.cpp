// TCP connections are reset: those that are open by the kernel's SOCK_DESTROY, new ones by an RST in answer to their SYN.
#include "injector/faults/network_reset.hpp"

#include "injector/held_by_worker.hpp"
#include "injector/host/nft.hpp"
#include "injector/network/connections.hpp"
#include "injector/network/network_place.hpp"
#include "injector/network/network_scope.hpp"
#include "injector/network/traffic_params.hpp"

#include <algorithm>
#include <array>
#include <optional>

namespace arashi {

extern const Fault network_reset_fault;

namespace {

using namespace std::chrono_literals;

using network_reset::Change;
using network_reset::Stats;

constexpr WorkerUse worker{.engine = "reset", .patience = 5s, .ended = "the worker that resets connections has ended", .grace = {}};
constexpr double largest_seed = 4294967295;  // nft's seeds have 32 bits

constexpr std::array params{
    Param{.name = "existing",
          .type = ParamType::percent,
          .summary = "how many of the connections that are open are reset",
          .example = "50%",
          .fallback = "100%"},
    Param{.name = "new",
          .type = ParamType::percent,
          .summary = "how many of the connections that are opened meanwhile are answered by a reset",
          .example = "20%",
          .fallback = "0%"},
    Param{.name = "every",
          .type = ParamType::duration,
          .summary = "reset the open ones again after this time; absent: once",
          .example = "5s",
          .least = 1e8,
          .most = 3.6e12},
    Param{.name = "peers",
          .type = ParamType::peers,
          .summary = "only connections with these addresses, blocks, host names or target groups, v4 and v6; none: with everyone",
          .example = "[10.0.0.7, \"2001:db8::/32\", {target: wallet}]"},
    Param{.name = "direction",
          .type = ParamType::choice,
          .summary = "egress: connections that the target opens; ingress: those that are opened to it",
          .example = "ingress",
          .fallback = "both",
          .choices = traffic_directions},
    except_param,
    ports_param,
    local_ports_param,
    Param{.name = "seed",
          .type = ParamType::integer,
          .summary = "decides which connections are reset, by their addresses and ports",
          .example = "7",
          .least = 0,
          .most = largest_seed},
};

Result<void> check(const Json& given) {
  const auto existing = number_param(given, "existing").value_or(1);
  const auto fresh = number_param(given, "new").value_or(0);
  if (existing <= 0 && fresh <= 0) return fail(Blame::input, "nothing is asked for: give more than 0% of existing or of new connections");
  if (existing <= 0 && duration_param(given, "every"))
    return fail(Blame::input, "every is for existing connections, of which 0% are reset");
  TRY(traffic_but_peers(given));
  return {};
}

Result<void> probe(const Json& given) {
  if (number_param(given, "existing").value_or(1) > 0) TRY(probe_sock_destroy());
  if (number_param(given, "new").value_or(0) > 0) TRY(probe_nft());
  return {};
}

// Of one cgroup of a shared namespace: open connections are told by their sockets, new ones by nft.
Result<void> limit_to(const Host& host, const SocketCgroup& cgroup, Change& change) {
  if (change.existing > 0) TRY(probe_socket_cgroups());
  if (change.fresh > 0) change.nft_path = TRY(path_for_nft(host, cgroup));
  change.cgroup = cgroup;
  return {};
}

bool is_lasting(const Change& change) { return change.every > Duration{} || change.fresh > 0; }

std::vector<std::string> claims_of(const TrafficPlace& place, const Change& change) {
  const auto start = "netns:" + std::to_string(place.netns.inode) + "/connections/";
  std::vector<std::string> claims;
  if (!is_lasting(change)) return {start + change.id};  // done in a moment, and in nobody's way
  const auto end = place.cgroup ? "/" + place.cgroup->path : std::string();
  if (place.traffic.egress) claims.push_back(start + "egress" + end);
  if (place.traffic.ingress) claims.push_back(start + "ingress" + end);
  return claims;
}

Result<Prepared<Change>> prepare(const Host& host, const Request& request) {
  TRY(check(request.params));
  TRY(probe(request.params));
  Prepared<Change> prepared;
  auto& change = prepared.change;
  change.id = request.id;
  change.existing = number_param(request.params, "existing").value_or(1);
  change.fresh = number_param(request.params, "new").value_or(0);
  change.every = duration_param(request.params, "every").value_or(Duration{});
  change.seed = static_cast<std::uint32_t>(number_param(request.params, "seed").value_or(0));
  const bool lasts = is_lasting(change);
  // What lasts would have to follow a name, and does not.
  const auto place = TRY(place_traffic(host, request.id, request.victim, request.params, lasts ? Names::refused : Names::as_now));
  change.netns = place.netns;
  change.traffic = place.traffic;
  if (place.cgroup) TRY(limit_to(host, *place.cgroup, change));
  prepared.claims = claims_of(place, change);
  prepared.mechanism = change.fresh > 0 ? "sock_destroy, nft" : "sock_destroy";
  prepared.because = lasts ? "a worker holds it" : "once, at the beginning";
  if (place.cgroup)
    prepared.because =
        "others share the network namespace, so only sockets of cgroup '" + place.cgroup->path + "' are hit; " + prepared.because;
  prepared.undo = std::string(lasts ? "end the worker, whose rules go with it; " : "") +
                  "a connection that was reset is not opened again: that is its owner's affair";
  return prepared;
}

Achieved share_of(const char* what, double requested, std::uint64_t hit, std::uint64_t of) {
  Achieved share{.what = what, .unit = "fraction", .requested = requested, .achieved = {}, .note = {}};
  if (of > 0) share.achieved = static_cast<double>(hit) / static_cast<double>(of);
  share.note = std::to_string(hit) + " of " + std::to_string(of) + " connections";
  return share;
}

Evidence evidence_of(const Change& change, const Stats& stats) {
  Evidence evidence{.in_place = true, .bit = false, .seen = 0, .affected = 0, .values = {}, .detail = {}};
  evidence.seen = stats.matched + stats.opened;
  evidence.affected = stats.reset + stats.refused;
  evidence.bit = evidence.affected > 0;
  if (change.existing > 0) evidence.values.push_back(share_of("existing connections reset", change.existing, stats.reset, stats.matched));
  if (change.fresh > 0) evidence.values.push_back(share_of("new connections reset", change.fresh, stats.refused, stats.opened));
  evidence.detail = std::to_string(stats.reset) + " open connections reset in " + std::to_string(stats.rounds) + " rounds, " +
                    std::to_string(stats.refused) + " of " + std::to_string(stats.opened) + " new ones refused";
  return evidence;
}

Result<Evidence> once(const Host& host, const Change& change) {
  const auto netns = TRY(open_netns(host, change.netns));
  auto socket = TRY(netlink::Socket::open(netns, netlink::Socket::Family::sock_diag));
  const auto all = TRY(connections_of(host, socket, change.cgroup));
  Stats stats{.rounds = 1};
  for (const auto& one : picked(all, change.traffic, change.existing, change.seed))
    if (TRY(destroy(socket, one))) ++stats.reset;
  stats.matched =
      static_cast<std::uint64_t>(std::ranges::count_if(all, [&](const Connection& each) { return matches(change.traffic, each); }));
  return evidence_of(change, stats);
}

Result<Evidence> apply(const Host& host, const Change& change) {
  return is_lasting(change) ? apply_by_worker<worker, evidence_of>(host, change) : once(host, change);
}

Result<void> revert(const Host& host, const Change& change) {
  return is_lasting(change) ? revert_by_worker<worker>(host, change) : Result<void>{};
}

Result<Evidence> observe(const Host& host, const Change& change) {
  if (is_lasting(change)) return observe_by_worker<worker, evidence_of>(host, change);
  return fail(Blame::unsupported, "what was done once is not read again");
}

}  // namespace

const Fault network_reset_fault =
    make_fault<prepare, apply, revert, observe>({.name = "network.reset",
                                                 .summary = "TCP connections are reset: open ones, new ones, or a share of them",
                                                 .params = params,
                                                 .scopes = network_scopes,
                                                 .reversible = false,
                                                 .check = check});

}  // namespace arashi
