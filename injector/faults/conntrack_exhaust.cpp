// A network namespace's table of tracked connections is full: packets that would open a new connection are dropped.
#include "injector/faults/conntrack_exhaust.hpp"

#include "injector/held_by_worker.hpp"
#include "injector/host/conntrack_table.hpp"
#include "injector/host/memory.hpp"
#include "injector/host/netns.hpp"
#include "injector/network/network_place.hpp"
#include "injector/network/traffic_params.hpp"

#include <array>
#include <cmath>

namespace arashi {

extern const Fault conntrack_exhaust_fault;

namespace {

using namespace std::chrono_literals;

using conntrack_exhaust::Change;
using conntrack_exhaust::Stats;

static_assert(Fillers::lifetime == 30s);
constexpr WorkerUse worker{
    .engine = "conntrack", .patience = 30s, .ended = "the worker that fills the table has ended: its entries go within 30s", .grace = {}};
constexpr double most_entries = 1e9;
constexpr std::uint64_t most_to_hold = 4'000'000;  // to renew them takes a tenth of a second of a CPU in each

constexpr std::array params{
    Param{.name = "share",
          .type = ParamType::percent,
          .summary = "how full the table is, with the entries that others have in it",
          .example = "95%",
          .fallback = "100%"},
    Param{.name = "free",
          .type = ParamType::integer,
          .summary = "instead of share: room for so many is left",
          .example = "100",
          .least = 0,
          .most = most_entries},
};

Result<void> check(const Json& given) {
  if (number_param(given, "free") && number_param(given, "share").value_or(1) < 1)
    return fail(Blame::input, "give share or free, and not both");
  return {};
}

Result<std::uint64_t> wanted_of(const Json& given, const TrackingTable& table) {
  const auto share = number_param(given, "share").value_or(1);
  const auto free = number_param(given, "free");
  TRY(check(given));
  const auto room = free ? static_cast<std::uint64_t>(*free) : static_cast<std::uint64_t>((1 - share) * static_cast<double>(table.most));
  const auto wanted = table.most - std::min(room, table.most);
  if (wanted <= table.count)
    return fail(Blame::input, "nothing would be taken: of ", table.most, " entries ", table.count, " are in use, and ", room,
                " are to be left");
  if (wanted > most_to_hold)
    return fail(Blame::unsupported, "the table has ", table.most, " entries (nf_conntrack_max), and more than ", most_to_hold,
                " are not held");
  return wanted;
}

// New connections of a runner need an entry like all others.
Result<void> spare_agent(const Host& host, const Netns& netns) {
  if (host.control.agent_port == 0 || netns.inode != TRY(own_netns(host)).inode) return {};
  return fail(Blame::refused, "the agent is in this network namespace, and a runner that comes to its port ", host.control.agent_port,
              " would be dropped as well: the one who ends the fault would be cut off");
}

Result<TrackingTable> table_in(const Host& host, const Netns& netns) {
  const auto there = TRY(open_netns(host, netns));
  TRY(probe_fillers());
  const auto table = TRY(tracking_table(host, there));
  if (table.most == 0) return fail(Blame::unsupported, "the table has no limit here (nf_conntrack_max is 0), so it cannot be full");
  if (!TRY(is_tracking(host, there)))
    return fail(Blame::unsupported,
                "no connections are tracked in this network namespace, as no rule asks for it (ct, nat, -m conntrack): a full table would "
                "be noticed by no one");
  return table;
}

Result<Prepared<Change>> prepare(const Host& host, const Request& request) {
  const auto netns = TRY(netns_of(host, request.victim));
  TRY(spare_runners(host, netns, "an entry for each new connection to the agent"));
  TRY(spare_agent(host, netns));
  const auto table = TRY(table_in(host, netns));
  const auto wanted = TRY(wanted_of(request.params, table));
  const auto bytes = (wanted - table.count) * Fillers::bytes_of_each;
  TRY(check_memory(host, bytes, std::to_string(wanted - table.count) + " entries of tracked connections"));
  Prepared<Change> prepared;
  prepared.change = {.id = request.id, .netns = netns, .wanted = wanted, .most = table.most};
  prepared.claims = {"netns:" + std::to_string(netns.inode) + "/conntrack"};
  prepared.mechanism = "conntrack worker";
  prepared.because = std::to_string(table.count) + " of " + std::to_string(table.most) +
                     " entries are in use; each namespace counts its own, so others are not hit; the entries take about " +
                     std::to_string(bytes >> 20U) + " MiB of the kernel's memory";
  prepared.undo = "end the worker and delete its entries, and no other";
  return prepared;
}

Evidence evidence_of(const Change& change, const Stats& stats) {
  constexpr double nearly = 0.99;  // others come and go
  const auto wanted = static_cast<double>(change.wanted);
  const bool full = change.wanted == change.most;
  Evidence evidence{.in_place = static_cast<double>(stats.count) >= nearly * wanted,
                    .bit = false,
                    .seen = stats.count,
                    .affected = stats.refusals,
                    .values = {},
                    .detail = {}};
  evidence.bit = full ? stats.refusals > 0 : evidence.in_place && stats.ours > 0;
  evidence.values.push_back({.what = "entries in use",
                             .unit = "count",
                             .requested = wanted,
                             .achieved = static_cast<double>(stats.count),
                             .note = std::to_string(stats.ours) + " of them are the fault's"});
  evidence.detail = std::to_string(stats.count) + " of " + std::to_string(change.most) + " entries are in use; " +
                    std::to_string(stats.refusals) + " times there was no room for a new one";
  return evidence;
}

Result<void> remove_entries(const Host& host, const Change& change) {
  const auto netns = open_netns(host, change.netns);
  if (!netns && netns.error().blame == Blame::missing) return {};  // it took its table along
  if (!netns) return pass(netns.error());
  if (TRY(tracking_table(host, *netns)).count == 0) return {};
  auto socket = TRY(netlink::Socket::open(*netns, netlink::Socket::Family::netfilter));
  return Fillers(socket, change.id).remove(0, change.wanted);
}

}  // namespace

const Fault conntrack_exhaust_fault = make_fault_held_by_worker<worker, prepare, evidence_of, remove_entries>(
    {.name = "conntrack.exhaust",
     .summary = "the table of tracked connections is full: new connections are dropped",
     .params = params,
     .scopes = network_scopes,
     .check = check});

}  // namespace arashi
