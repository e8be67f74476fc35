// Names that do not resolve, resolve late, or to another address: a worker of ours answers the target's queries that match.
#include "injector/faults/dns_answer.hpp"

#include "injector/core/peer.hpp"
#include "injector/held_by_worker.hpp"
#include "injector/host/cgroup.hpp"
#include "injector/host/conntrack.hpp"
#include "injector/host/files.hpp"
#include "injector/host/nft.hpp"
#include "injector/host/qdisc.hpp"
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

using dns_answer::Change;
using dns_answer::Rules;
using dns_answer::Scope;
using dns_answer::Stats;

constexpr WorkerUse worker{
    .engine = "dns", .patience = 5s, .ended = "the worker that answers queries has ended: names resolve as before", .grace = 200ms};
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

Result<std::vector<Cidr>> addresses_of(const Json& given, const std::string& answer) {
  std::vector<Cidr> addresses;
  for (const auto& text : list_param(given, "addresses")) {
    const auto address = TRY(parse_cidr(text));
    if (address.prefix != 128) return fail(Blame::input, "addresses: '", text, "' is a block, and a name resolves to single addresses");
    addresses.push_back(address);
  }
  if (answer == "address" && addresses.empty()) return fail(Blame::input, "answer: address needs addresses");
  if (answer != "address" && !addresses.empty()) return fail(Blame::input, "addresses are for answer: address, not for answer: ", answer);
  return addresses;
}

Result<std::vector<std::uint16_t>> types_of(const Json& given) {
  std::vector<std::uint16_t> types;
  for (const auto& text : list_param(given, "types")) {
    const auto type = dns::type_of(text);
    if (!type) return fail(Blame::input, "types: '", text, "' is no type of DNS record, such as A, AAAA or SRV");
    types.push_back(*type);
  }
  return types;
}

Result<Rules> rules_of(const Json& given) {
  Rules rules{.answer = text_param(given, "answer").value_or("pass"),
              .delay = duration_param(given, "delay").value_or(Duration{}),
              .addresses = {},
              .names = list_param(given, "names"),
              .types = {},
              .share = number_param(given, "share").value_or(1),
              .seed = {}};
  if (rules.answer == "pass" && rules.delay == Duration{}) return fail(Blame::input, "nothing is asked for: give an answer or a delay");
  if (rules.answer == "timeout" && rules.delay > Duration{})
    return fail(Blame::input, "answer: timeout gives no answer that a delay could hold back");
  if (rules.share <= 0) return fail(Blame::input, "share: nothing of it would be hit");
  for (const auto& name : rules.names) TRY(dns::check_pattern(name));
  rules.addresses = TRY(addresses_of(given, rules.answer));
  rules.types = TRY(types_of(given));
  if (const auto seed = number_param(given, "seed")) rules.seed = static_cast<std::uint64_t>(*seed);
  return rules;
}

// Of a cgroup or unit only its own processes are hit, as its namespace may be shared; of a process those in its cgroup, where it is.
Result<std::optional<SocketCgroup>> scope_of(const Host& host, const Victim& victim) {
  if (victim.scope == arashi::Scope::process) return TRY(network_scope(host, victim)).cgroup;
  if (victim.scope != arashi::Scope::cgroup) return std::optional<SocketCgroup>{};
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

Result<Prepared<Change>> prepare(const Host& host, const Request& request) {
  auto rules = TRY(rules_of(request.params));
  TRY(must_be_addresses(request.params));
  const auto cgroup = TRY(scope_of(host, request.victim));
  auto place_of = request.victim;
  if (cgroup && place_of.netns != 0) place_of.scope = arashi::Scope::netns;
  const auto place = TRY(place_traffic(host, request.id, place_of, request.params, Names::refused));
  TRY(must_have_loopback(host, place.netns));
  TRY(probe_nft());
  TRY(probe_conntrack());
  Prepared<Change> prepared;
  prepared.change = {.id = request.id,
                     .netns = place.netns,
                     .traffic = place.traffic,
                     .rules = std::move(rules),
                     .ports = redirect_ports(request.id),
                     .scope = {}};
  if (cgroup) {
    auto nft_path = TRY(path_for_nft(host, *cgroup));
    prepared.change.scope = Scope{.cgroup = *cgroup, .nft_path = std::move(nft_path)};
  }
  prepared.claims = {"netns:" + std::to_string(place.netns.inode) + "/dns" + (cgroup ? "/" + cgroup->path : "")};
  prepared.mechanism = "nft, dns worker";
  prepared.because = "queries to port 53 are redirected to a worker, which passes on all that do not match";
  prepared.undo = "end the worker, whose redirecting rule goes with it, and forget which queries were redirected";
  return prepared;
}

Evidence evidence_of(const Change& change, const Stats& stats) {
  Evidence evidence{
      .in_place = true, .bit = stats.affected > 0, .seen = stats.queries, .affected = stats.affected, .values = {}, .detail = {}};
  Achieved share{.what = "queries hit", .unit = "fraction", .requested = change.rules.share, .achieved = {}, .note = {}};
  if (stats.matched > 0) share.achieved = static_cast<double>(stats.affected) / static_cast<double>(stats.matched);
  share.note = std::to_string(stats.affected) + " of " + std::to_string(stats.matched) + " matching queries";
  evidence.values.push_back(std::move(share));
  evidence.detail = std::to_string(stats.queries) + " queries, of which " + std::to_string(stats.affected) +
                    " were hit (answer: " + change.rules.answer + ")";
  return evidence;
}

Result<void> forget_queries(const Host& host, const Change& change) { return forget_redirected(host, change.netns, change.ports); }

}  // namespace

const Fault dns_answer_fault = make_fault_held_by_worker<worker, prepare, evidence_of, forget_queries>(
    {.name = "dns.answer",
     .summary = "names do not resolve, resolve late, or to another address",
     .params = params,
     .scopes = network_scopes,
     .check = check});

}  // namespace arashi
