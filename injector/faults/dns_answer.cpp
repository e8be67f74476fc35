// Names that do not resolve, resolve late, or to another address: a worker of ours answers the target's queries that match.
#include "injector/core/json.hpp"
#include "injector/core/peer.hpp"
#include "injector/fault.hpp"
#include "injector/host/cgroup.hpp"
#include "injector/host/conntrack.hpp"
#include "injector/host/files.hpp"
#include "injector/host/nft.hpp"
#include "injector/host/qdisc.hpp"
#include "injector/host/worker.hpp"
#include "injector/network/dns_message.hpp"
#include "injector/network/dns_redirect.hpp"
#include "injector/network/network_place.hpp"
#include "injector/network/network_scope.hpp"
#include "injector/network/traffic_params.hpp"

#include <algorithm>
#include <array>

namespace arashi {

extern const Fault dns_answer_fault;

namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

constexpr Duration start_patience = 5s;
constexpr Duration end_grace = 200ms;              // for what the worker does at its end
constexpr double longest_delay = 60e9;             // ns
constexpr double largest_seed = 9007199254740991;  // what JSON carries exactly
constexpr std::array<std::string_view, 5> answers{"pass", "nxdomain", "servfail", "timeout", "address"};

constexpr std::array params{
    Param{.name = "answer",
          .type = ParamType::choice,
          .summary = "pass: what the server says (with a delay); timeout: none; address: what `addresses` says",
          .example = "nxdomain",
          .fallback = "pass",
          .choices = answers},
    Param{.name = "delay",
          .type = ParamType::duration,
          .summary = "how long the query is held before it is answered or passed on",
          .example = "300ms",
          .least = 0,
          .most = longest_delay},
    Param{.name = "addresses",
          .type = ParamType::list,
          .summary = "with answer: address, what the names resolve to; v4 for A, v6 for AAAA, nothing for the other family if it has none",
          .example = "[10.0.0.9, \"2001:db8::9\"]"},
    Param{.name = "names",
          .type = ParamType::list,
          .summary = "only these names, '*' stands for any text; none: every name",
          .example = "[db.example.com, \"*.cluster.local\"]"},
    Param{.name = "types", .type = ParamType::list, .summary = "only queries of these types; none: every type", .example = "[A, AAAA]"},
    Param{.name = "share", .type = ParamType::percent, .summary = "how many of the matching queries", .example = "20%", .fallback = "100%"},
    Param{.name = "peers",
          .type = ParamType::peers,
          .summary = "only queries to servers with these addresses or blocks, v4 and v6, or of target groups; none: to every server",
          .example = "[10.0.0.53, {target: resolver}]"},
    except_param,
    Param{.name = "seed",
          .type = ParamType::integer,
          .summary = "makes the choice of queries the same each time",
          .example = "7",
          .least = 0,
          .most = largest_seed},
};

Result<Json> addresses_of(const Json& given, const std::string& answer) {
  Json addresses = Json::array();
  for (const auto& text : list_param(given, "addresses")) {
    const auto address = TRY(parse_cidr(text));
    if (address.prefix != 128) return fail(Blame::input, "addresses: '", text, "' is a block, and a name resolves to single addresses");
    addresses.push_back(to_text(address));
  }
  if (answer == "address" && addresses.empty()) return fail(Blame::input, "answer: address needs addresses");
  if (answer != "address" && !addresses.empty()) return fail(Blame::input, "addresses are for answer: address, not for answer: ", answer);
  return addresses;
}

Result<Json> types_of(const Json& given) {
  Json types = Json::array();
  for (const auto& text : list_param(given, "types")) {
    const auto type = dns::type_of(text);
    if (!type) return fail(Blame::input, "types: '", text, "' is no type of DNS record, such as A, AAAA or SRV");
    types.push_back(*type);
  }
  return types;
}

Result<Json> rules_of(const Json& given) {
  const auto answer = text_param(given, "answer").value_or("pass");
  const auto delay = duration_param(given, "delay").value_or(Duration{});
  if (answer == "pass" && delay == Duration{}) return fail(Blame::input, "nothing is asked for: give an answer or a delay");
  if (answer == "timeout" && delay > Duration{}) return fail(Blame::input, "answer: timeout gives no answer that a delay could hold back");
  if (number_param(given, "share").value_or(1) <= 0) return fail(Blame::input, "share: nothing of it would be hit");
  for (const auto& name : list_param(given, "names")) TRY(dns::check_pattern(name));
  const auto addresses = TRY(addresses_of(given, answer));
  const auto types = TRY(types_of(given));
  Json rules{{"answer", answer},       {"delay", delay.count()},
             {"addresses", addresses}, {"names", list_param(given, "names")},
             {"types", types},         {"share", number_param(given, "share").value_or(1)}};
  if (const auto seed = number_param(given, "seed")) rules["seed"] = static_cast<std::uint64_t>(*seed);
  return rules;
}

// Of a cgroup or unit only its own processes are hit, as its namespace may be shared; of a process those in its cgroup, where it is.
Result<std::optional<SocketCgroup>> scope_of(const Host& host, const Victim& victim) {
  if (victim.kind == "process") return TRY(network_scope(host, victim)).cgroup;
  if (victim.kind != "cgroup" && victim.kind != "unit") return std::optional<SocketCgroup>{};
  for (const auto& hierarchy : hierarchies(host)) {
    const auto below = fs::path(victim.cgroup_path).lexically_relative(hierarchy.root);
    if (hierarchy.name != "v2" || below.empty() || *below.begin() == ".." || below == ".") continue;
    const auto level = static_cast<std::uint32_t>(std::distance(below.begin(), below.end()));
    const auto inode = TRY(inode_of(victim.cgroup_path));
    return std::optional(SocketCgroup{below.string(), inode, level});
  }
  return fail(Blame::unsupported, victim.label, " is no cgroup of version 2, by which its queries could be told from those of others");
}

Result<void> must_have_loopback(const Host& host, const Netns& netns) {
  auto socket = TRY(socket_in(host, netns));
  for (const auto& link : TRY(links(socket)))
    if (link.loopback && link.up) return {};
  return fail(Blame::refused, "the loopback of the target's network namespace is down, and queries are answered there");
}

// To find what a resolver's name stands for, the very servers would be asked that are hit.
Result<void> must_be_addresses(const Json& given) {
  for (const auto* list : {"peers", "except"})
    for (const auto& text : list_param(given, list))
      if (const auto peer = parse_peer(text); peer && peer->kind == Peer::Kind::name)
        return fail(Blame::input, list, ": '", text,
                    "' is a host name, and which DNS servers is said by address, as resolvers know them (what a name stands for would be "
                    "asked of the servers that are hit): give addresses, blocks or {target: NAME}");
  return {};
}

Result<void> check(const Json& given) {
  TRY(rules_of(given));
  TRY(must_be_addresses(given));
  TRY(traffic_but_peers(given));
  return {};
}

Result<Prepared> prepare(const Host& host, const Request& request) {
  auto rules = TRY(rules_of(request.params));
  TRY(must_be_addresses(request.params));
  const auto scope = TRY(scope_of(host, request.victim));
  auto place_of = request.victim;
  if (scope && place_of.netns != 0) place_of.kind = "netns";
  const auto place = TRY(place_traffic(host, request.id, place_of, request.params, Names::refused));
  TRY(must_have_loopback(host, place.netns));
  TRY(probe_nft());
  TRY(probe_conntrack());
  Prepared prepared;
  prepared.change = std::move(rules);
  prepared.change.update(
      Json{{"id", request.id}, {"netns", place.netns}, {"traffic", place.traffic}, {"ports", redirect_ports(request.id)}});
  if (scope) {
    prepared.change["cgroup"] = TRY(path_for_nft(host, *scope));
    prepared.change["level"] = scope->level;
    prepared.change["scope"] = *scope;
  }
  prepared.claims = {"netns:" + std::to_string(place.netns.inode) + "/dns" + (scope ? "/" + scope->path : "")};
  prepared.mechanism = "nft, dns worker";
  prepared.because = "queries to port 53 are redirected to a worker, which passes on all that do not match";
  prepared.undo = "end the worker, whose redirecting rule goes with it, and forget which queries were redirected";
  return prepared;
}

Evidence evidence_of(const Json& change, const Json& stats) {
  const auto number = [&](const char* name) { return stats.is_object() ? stats.value(name, std::uint64_t{0}) : 0; };
  Evidence evidence{.in_place = true,
                    .bit = number("affected") > 0,
                    .seen = number("queries"),
                    .affected = number("affected"),
                    .values = {},
                    .detail = {}};
  Achieved share{.what = "queries hit", .unit = "fraction", .requested = change.at("share").get<double>(), .achieved = {}, .note = {}};
  if (number("matched") > 0) share.achieved = static_cast<double>(number("affected")) / static_cast<double>(number("matched"));
  share.note = std::to_string(number("affected")) + " of " + std::to_string(number("matched")) + " matching queries";
  evidence.values.push_back(std::move(share));
  evidence.detail = std::to_string(number("queries")) + " queries, of which " + std::to_string(number("affected")) +
                    " were hit (answer: " + change.at("answer").get<std::string>() + ")";
  return evidence;
}

Result<Evidence> apply(const Host& host, const Json& change) {
  if (host.workers == nullptr) return fail(Blame::system, "no worker processes can be started here");
  TRY(open_netns(host, change.at("netns").get<Netns>()));  // so that one that has gone is told as such, and not as a worker that failed
  return evidence_of(change, TRY(host.workers->start(change.at("id").get<std::string>(), "dns", change, start_patience)));
}

Result<void> revert(const Host& host, const Json& change) {
  TRY(stop_processes(host, change.at("id").get<std::string>(), end_grace));
  return forget_redirected(host, change.at("netns").get<Netns>(), change.at("ports").get<std::vector<std::uint16_t>>());
}

Result<Evidence> observe(const Host& host, const Json& change) {
  const auto id = change.at("id").get<std::string>();
  if (host.workers == nullptr || !host.workers->state(id).alive)
    return fail(Blame::missing, "the worker that answers queries has ended: names resolve as before");
  return evidence_of(change, TRY(host.workers->stats(id)));
}

}  // namespace

const Fault dns_answer_fault{.name = "dns.answer",
                             .summary = "names do not resolve, resolve late, or to another address",
                             .params = params,
                             .target_kinds = network_target_kinds,
                             .prepare = prepare,
                             .apply = apply,
                             .revert = revert,
                             .observe = observe,
                             .check = check};

}  // namespace arashi
