// A network namespace runs out of ephemeral ports: who opens a connection there is told EADDRNOTAVAIL, as on a machine that opens and
// closes too many.
#include "injector/core/json.hpp"
#include "injector/fault.hpp"
#include "injector/host/ephemeral_ports.hpp"
#include "injector/host/netns.hpp"
#include "injector/host/worker.hpp"
#include "injector/network/network_place.hpp"
#include "injector/network/traffic_params.hpp"

#include <array>
#include <cmath>

namespace arashi {

extern const Fault ports_exhaust_fault;

namespace {

using namespace std::chrono_literals;

constexpr Duration start_patience = 15s;
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

Result<Prepared> prepare(const Host& host, const Request& request) {
  const auto netns = TRY(netns_of(host, request.victim));
  TRY(spare_runners(host, netns, "ports for its connections to the agent"));
  const auto there = TRY(open_netns(host, netns));
  const auto total = TRY(ephemeral_ports(host, there)).size();
  const auto left = TRY(left_of(request.params, total));
  const auto protocol = text_param(request.params, "protocol").value_or("tcp");
  const auto sockets = (total - left) * (protocol == "both" ? 2 : 1);
  TRY(check_room_for_sockets(host, sockets));
  const auto processes = TRY(processes_for(sockets));
  Prepared prepared;
  prepared.change = {{"id", request.id}, {"netns", netns}, {"protocol", protocol}, {"free", left}, {"sockets", sockets}, {"total", total}};
  for (const std::string one : {"tcp", "udp"})
    if (protocol == one || protocol == "both") prepared.claims.push_back("netns:" + std::to_string(netns.inode) + "/ports/" + one);
  prepared.mechanism = "ports worker";
  prepared.because = std::to_string(sockets) + " sockets are bound, in " + std::to_string(processes) +
                     (processes == 1 ? " process" : " processes") + "; they take about " + std::to_string(sockets * 4 / 1024) +
                     " MiB of the kernel's memory";
  prepared.undo = "end the worker, whose sockets go with it";
  return prepared;
}

Evidence evidence_of(const Json& change, const Json& stats) {
  const auto number = [&](const char* name) { return stats.is_object() ? stats.value(name, std::uint64_t{0}) : 0; };
  const auto wanted = change.at("sockets").get<std::uint64_t>();
  const bool all = change.at("free").get<std::uint64_t>() == 0;
  const bool refused = stats.is_object() && stats.value("refused", false);
  const auto taken = number("held") + number("busy");
  Evidence evidence{.in_place = taken >= wanted && (refused || !all),
                    .bit = number("held") > 0 && (refused || !all),
                    .seen = wanted,
                    .affected = number("held"),
                    .values = {},
                    .detail = {}};
  evidence.values.push_back({.what = "ports taken",
                             .unit = "count",
                             .requested = static_cast<double>(wanted),
                             .achieved = static_cast<double>(taken),
                             .note = std::to_string(number("busy")) + " of them were held by others"});
  evidence.detail = std::to_string(number("held")) + " ephemeral ports held by us, " + std::to_string(number("busy")) + " by others; " +
                    (refused ? "who wants one gets none" : std::to_string(change.at("free").get<std::uint64_t>()) + " are left");
  return evidence;
}

Result<Evidence> apply(const Host& host, const Json& change) {
  if (host.workers == nullptr) return fail(Blame::system, "no worker processes can be started here");
  TRY(open_netns(host, change.at("netns").get<Netns>()));  // so that one that has gone is told as such, and not as a worker that failed
  return evidence_of(change, TRY(host.workers->start(change.at("id").get<std::string>(), "ports", change, start_patience)));
}

Result<void> revert(const Host& host, const Json& change) { return stop_processes(host, change.at("id").get<std::string>()); }

Result<Evidence> observe(const Host& host, const Json& change) {
  const auto id = change.at("id").get<std::string>();
  if (host.workers == nullptr || !host.workers->state(id).alive)
    return fail(Blame::missing, "the worker that holds ports has ended: they are free again");
  return evidence_of(change, TRY(host.workers->stats(id)));
}

}  // namespace

const Fault ports_exhaust_fault{.name = "ports.exhaust",
                                .summary = "no ephemeral port is left: new connections fail with EADDRNOTAVAIL",
                                .params = params,
                                .target_kinds = network_target_kinds,
                                .prepare = prepare,
                                .apply = apply,
                                .revert = revert,
                                .observe = observe,
                                .check = check};

}  // namespace arashi
