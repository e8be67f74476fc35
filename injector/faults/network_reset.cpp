// TCP connections are reset: those that are open by the kernel's SOCK_DESTROY, new ones by an RST in answer to their SYN.
#include "injector/core/json.hpp"
#include "injector/fault.hpp"
#include "injector/host/nft.hpp"
#include "injector/host/worker.hpp"
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

constexpr Duration start_patience = 5s;
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
Result<void> check_cgroup(const Host& host, const SocketCgroup& cgroup, const Json& given, Json& change) {
  if (number_param(given, "existing").value_or(1) > 0) TRY(probe_socket_cgroups());
  if (number_param(given, "new").value_or(0) > 0) change["nftPath"] = TRY(path_for_nft(host, cgroup));
  change["cgroup"] = cgroup;
  return {};
}

bool is_lasting(const Json& change) { return change.at("every").get<std::int64_t>() > 0 || change.at("new").get<double>() > 0; }

std::vector<std::string> claims_of(const TrafficPlace& place, const Json& change) {
  const auto start = "netns:" + std::to_string(place.netns.inode) + "/connections/";
  std::vector<std::string> claims;
  if (!is_lasting(change)) return {start + change.at("id").get<std::string>()};  // done in a moment, and in nobody's way
  const auto end = place.cgroup ? "/" + place.cgroup->path : std::string();
  if (place.traffic.egress) claims.push_back(start + "egress" + end);
  if (place.traffic.ingress) claims.push_back(start + "ingress" + end);
  return claims;
}

Result<Prepared> prepare(const Host& host, const Request& request) {
  TRY(check(request.params));
  TRY(probe(request.params));
  // What lasts would have to follow a name, and does not.
  const bool once = !duration_param(request.params, "every") && number_param(request.params, "new").value_or(0) <= 0;
  const auto place = TRY(place_traffic(host, request.id, request.victim, request.params, once ? Names::as_now : Names::refused));
  Prepared prepared;
  prepared.change = {{"id", request.id},
                     {"netns", place.netns},
                     {"traffic", place.traffic},
                     {"existing", number_param(request.params, "existing").value_or(1)},
                     {"new", number_param(request.params, "new").value_or(0)},
                     {"every", duration_param(request.params, "every").value_or(Duration{}).count()},
                     {"seed", static_cast<std::uint32_t>(number_param(request.params, "seed").value_or(0))}};
  if (place.cgroup) TRY(check_cgroup(host, *place.cgroup, request.params, prepared.change));
  const bool lasts = is_lasting(prepared.change);
  prepared.claims = claims_of(place, prepared.change);
  prepared.mechanism = prepared.change["new"].get<double>() > 0 ? "sock_destroy, nft" : "sock_destroy";
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

Evidence evidence_of(const Json& change, const Json& stats) {
  const auto number = [&](const char* name) { return stats.is_object() ? stats.value(name, std::uint64_t{0}) : 0; };
  Evidence evidence{.in_place = true, .bit = false, .seen = 0, .affected = 0, .values = {}, .detail = {}};
  evidence.seen = number("matched") + number("opened");
  evidence.affected = number("reset") + number("refused");
  evidence.bit = evidence.affected > 0;
  const auto existing = change.at("existing").get<double>();
  const auto fresh = change.at("new").get<double>();
  if (existing > 0) evidence.values.push_back(share_of("existing connections reset", existing, number("reset"), number("matched")));
  if (fresh > 0) evidence.values.push_back(share_of("new connections reset", fresh, number("refused"), number("opened")));
  evidence.detail = std::to_string(number("reset")) + " open connections reset in " + std::to_string(number("rounds")) + " rounds, " +
                    std::to_string(number("refused")) + " of " + std::to_string(number("opened")) + " new ones refused";
  return evidence;
}

Result<Evidence> once(const Host& host, const Json& change) {
  const auto netns = TRY(open_netns(host, change.at("netns").get<Netns>()));
  auto socket = TRY(netlink::Socket::open(netns, netlink::Socket::Family::sock_diag));
  const auto traffic = change.at("traffic").get<Traffic>();
  std::optional<SocketCgroup> cgroup;
  if (change.contains("cgroup")) cgroup = change.at("cgroup").get<SocketCgroup>();
  const auto all = TRY(connections_of(host, socket, cgroup));
  std::uint64_t reset = 0;
  for (const auto& one : picked(all, traffic, change.at("existing").get<double>(), change.at("seed").get<std::uint64_t>()))
    if (TRY(destroy(socket, one))) ++reset;
  const auto matched = std::ranges::count_if(all, [&](const Connection& each) { return matches(traffic, each); });
  return evidence_of(change, Json{{"matched", matched}, {"reset", reset}, {"rounds", 1}});
}

Result<Evidence> apply(const Host& host, const Json& change) {
  if (!is_lasting(change)) return once(host, change);
  if (host.workers == nullptr) return fail(Blame::system, "no worker processes can be started here");
  TRY(open_netns(host, change.at("netns").get<Netns>()));  // so that one that has gone is told as such, and not as a worker that failed
  return evidence_of(change, TRY(host.workers->start(change.at("id").get<std::string>(), "reset", change, start_patience)));
}

Result<void> revert(const Host& host, const Json& change) {
  return is_lasting(change) ? stop_processes(host, change.at("id").get<std::string>()) : Result<void>{};
}

Result<Evidence> observe(const Host& host, const Json& change) {
  if (!is_lasting(change)) return fail(Blame::unsupported, "what was done once is not read again");
  const auto id = change.at("id").get<std::string>();
  if (host.workers == nullptr || !host.workers->state(id).alive)
    return fail(Blame::missing, "the worker that resets connections has ended");
  return evidence_of(change, TRY(host.workers->stats(id)));
}

}  // namespace

const Fault network_reset_fault{.name = "network.reset",
                                .summary = "TCP connections are reset: open ones, new ones, or a share of them",
                                .params = params,
                                .target_kinds = network_target_kinds,
                                .reversible = false,
                                .prepare = prepare,
                                .apply = apply,
                                .revert = revert,
                                .observe = observe,
                                .check = check};

}  // namespace arashi
