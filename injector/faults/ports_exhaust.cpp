// A network namespace runs out of ephemeral ports: who opens a connection there is told EADDRNOTAVAIL, as on a machine that opens and
// closes too many.
#include "injector/faults/ports_exhaust.hpp"

#include "injector/held_by_worker.hpp"
#include "injector/host/ephemeral_ports.hpp"
#include "injector/host/netns.hpp"
#include "injector/network/network_place.hpp"
#include "injector/network/traffic_params.hpp"

#include <array>
#include <cmath>

namespace arashi {

extern const Fault ports_exhaust_fault;

namespace {

using namespace std::chrono_literals;
using ports_exhaust::Change;
using ports_exhaust::Stats;

constexpr WorkerUse worker{
    .engine = "ports", .patience = 15s, .ended = "the worker that holds ports has ended: they are free again", .grace = {}};
constexpr double most_ports = 65535;
constexpr std::size_t most_processes = 64;
constexpr std::array<std::string_view, 3> protocols{"tcp", "udp", "both"};

constexpr std::array params{
    Param{.name = "protocol",
          .type = ParamType::choice,
          .summary = "whose ports are taken",
          .example = "both",
          .fallback = "tcp",
          .choices = protocols},
    Param{.name = "share",
          .type = ParamType::percent,
          .summary = "how many of the ephemeral ports are taken, those included that others hold",
          .example = "99%",
          .fallback = "100%"},
    Param{.name = "free",
          .type = ParamType::integer,
          .summary = "instead of share: how many are left",
          .example = "20",
          .least = 0,
          .most = most_ports},
};

Result<void> check(const Json& given) {
  if (number_param(given, "free") && number_param(given, "share").value_or(1) < 1)
    return fail(Blame::input, "give share or free, and not both");
  return {};
}

Result<std::size_t> left_of(const Json& given, std::size_t total) {
  const auto share = number_param(given, "share").value_or(1);
  const auto free = number_param(given, "free");
  TRY(check(given));
  const auto left =
      free ? static_cast<std::size_t>(*free) : static_cast<std::size_t>(std::llround((1 - share) * static_cast<double>(total)));
  if (left < total) return left;
  return fail(Blame::input, "nothing would be taken: of ", total, " ephemeral ports ", left, " are to be left");
}

Result<std::size_t> processes_for(std::size_t sockets) {
  const auto each = most_sockets_of_a_process();
  const auto count = each == 0 ? most_processes + 1 : (sockets + each - 1) / each;
  if (count <= most_processes) return count;
  return fail(Blame::refused, sockets, " sockets would take more than ", most_processes, " processes, as one may have ", each,
              " descriptors here: raise the agent's hard limit (LimitNOFILE), or leave more ports free");
}

Result<Prepared<Change>> prepare(const Host& host, const Request& request) {
  const auto netns = TRY(netns_of(host, request.victim));
  TRY(spare_runners(host, netns, "ports for its connections to the agent"));
  const auto there = TRY(open_netns(host, netns));
  const auto total = TRY(ephemeral_ports(host, there)).size();
  const auto left = TRY(left_of(request.params, total));
  const auto protocol = text_param(request.params, "protocol").value_or("tcp");
  const auto sockets = (total - left) * (protocol == "both" ? 2 : 1);
  TRY(check_room_for_sockets(host, sockets));
  const auto processes = TRY(processes_for(sockets));
  Prepared<Change> prepared;
  prepared.change = {.id = request.id, .netns = netns, .protocol = protocol, .free = left, .sockets = sockets, .total = total};
  for (const std::string one : {"tcp", "udp"})
    if (protocol == one || protocol == "both") prepared.claims.push_back("netns:" + std::to_string(netns.inode) + "/ports/" + one);
  prepared.mechanism = "ports worker";
  prepared.because = std::to_string(sockets) + " sockets are bound, in " + std::to_string(processes) +
                     (processes == 1 ? " process" : " processes") + "; they take about " + std::to_string(sockets * 4 / 1024) +
                     " MiB of the kernel's memory";
  prepared.undo = "end the worker, whose sockets go with it";
  return prepared;
}

Evidence evidence_of(const Change& change, const Stats& stats) {
  const bool all = change.free == 0;
  const auto taken = stats.held + stats.busy;
  Evidence evidence{.in_place = taken >= change.sockets && (stats.refused || !all),
                    .bit = stats.held > 0 && (stats.refused || !all),
                    .seen = change.sockets,
                    .affected = stats.held,
                    .values = {},
                    .detail = {}};
  evidence.values.push_back({.what = "ports taken",
                             .unit = "count",
                             .requested = static_cast<double>(change.sockets),
                             .achieved = static_cast<double>(taken),
                             .note = std::to_string(stats.busy) + " of them were held by others"});
  evidence.detail = std::to_string(stats.held) + " ephemeral ports held by us, " + std::to_string(stats.busy) + " by others; " +
                    (stats.refused ? "who wants one gets none" : std::to_string(change.free) + " are left");
  return evidence;
}

}  // namespace

const Fault ports_exhaust_fault = make_fault_held_by_worker<worker, prepare, evidence_of>(
    {.name = "ports.exhaust",
     .summary = "no ephemeral port is left: new connections fail with EADDRNOTAVAIL",
     .params = params,
     .scopes = network_scopes,
     .check = check});

}  // namespace arashi
