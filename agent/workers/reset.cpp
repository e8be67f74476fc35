// The engine behind network.reset: ends open connections, once or every so often, and holds the rules that answer new ones with an RST.
#include "agent/workers/channel.hpp"
#include "agent/workers/worker_main.hpp"
#include "injector/core/json.hpp"
#include "injector/host/netns.hpp"
#include "injector/host/nft.hpp"
#include "injector/network/connections.hpp"
#include "injector/network/network_scope.hpp"
#include "injector/network/nft_rules.hpp"

#include <sched.h>

#include <algorithm>
#include <optional>
#include <string>

namespace arashi::workers {

namespace {

constexpr Duration look_every = std::chrono::milliseconds(500);

struct Plan {
  std::string id;
  Traffic traffic;
  std::optional<SocketCgroup> cgroup;  // only its sockets
  std::string nft_path;                // of the cgroup
  double existing = 0, fresh = 0;
  Duration every{};
  std::uint32_t seed = 0;
};

struct Tally {
  std::uint64_t rounds = 0, matched = 0, reset = 0;
};

Plan plan_from(const Json& config) {
  Plan plan{.id = config.at("id").get<std::string>(),
            .traffic = config.at("traffic").get<Traffic>(),
            .cgroup = {},
            .nft_path = config.value("nftPath", std::string()),
            .existing = config.at("existing").get<double>(),
            .fresh = config.at("new").get<double>(),
            .every = Duration(config.at("every").get<std::int64_t>()),
            .seed = config.at("seed").get<std::uint32_t>()};
  if (config.contains("cgroup")) plan.cgroup = config.at("cgroup").get<SocketCgroup>();
  return plan;
}

// Only a SYN without ACK opens a connection. What the target opens is looked at before its destination is translated. A socket's cgroup is
// asked for by a rule that leads on: where there is no socket no rule about it holds. Of a SYN that comes in it is that of the listener.
std::string chain(const Plan& plan, const std::string& hook, Remote remote) {
  const auto of_cgroup = plan.cgroup ? "socket cgroupv2 level " + std::to_string(plan.cgroup->level) + " \"" + plan.nft_path + "\" " : "";
  return "  chain opens_" + hook + " {\n" + pass_others(plan.traffic, remote) + "    counter name \"opened\"\n" +
         pass_unchosen(plan.fresh, plan.seed) + "    counter name \"refused\"\n    reject with tcp reset\n  }\n  chain " + hook +
         " {\n    type filter hook " + hook +
         " priority mangle; policy accept;\n    meta l4proto != tcp accept\n    tcp flags & (syn | ack) != syn accept\n    " + of_cgroup +
         "jump opens_" + hook + "\n  }\n";
}

Result<std::optional<NftTable>> refuse_new(const Plan& plan) {
  if (plan.fresh <= 0) return std::optional<NftTable>{};
  std::string body = "  counter opened { }\n  counter refused { }\n";
  if (plan.traffic.egress) body += chain(plan, "output", Remote::destination);
  if (plan.traffic.ingress) body += chain(plan, "input", Remote::source);
  return std::optional(TRY(NftTable::make(plan.id, body)));
}

Result<void> round(netlink::Socket& socket, const Plan& plan, Tally& tally) {
  const auto all = TRY(connections_of(Host{}, socket, plan.cgroup));
  // Another seed each time: a share of 50% is not the same half again and again.
  for (const auto& one : picked(all, plan.traffic, plan.existing, plan.seed + tally.rounds))
    if (TRY(destroy(socket, one))) ++tally.reset;
  tally.matched +=
      static_cast<std::uint64_t>(std::ranges::count_if(all, [&](const Connection& each) { return matches(plan.traffic, each); }));
  ++tally.rounds;
  return {};
}

Result<Json> stats_of(const Tally& tally, const std::optional<NftTable>& table) {
  Json stats{{"rounds", tally.rounds}, {"matched", tally.matched}, {"reset", tally.reset}};
  if (!table) return stats;
  for (const auto& [name, packets] : TRY(table->counters())) stats[name] = packets;
  return stats;
}

}  // namespace

Result<void> run_reset(const Json& config) {
  const auto plan = plan_from(config);
  const auto netns = TRY(open_netns(Host{}, config.at("netns").get<Netns>()));
  if (::setns(netns.get(), CLONE_NEWNET) != 0) return sys_fail("enter the network namespace");
  auto socket = TRY(netlink::Socket::open(netlink::Socket::Family::sock_diag));
  const auto table = TRY(refuse_new(plan));  // first, or what is reset might be opened again before it is there
  Tally tally;
  if (plan.existing > 0) TRY(round(socket, plan, tally));
  Channel::ready(TRY(stats_of(tally, table)));
  Channel channel;
  auto next = boot_now() + plan.every;
  while (Channel::wait_until(plan.every > Duration{} ? std::min(next, boot_now() + look_every) : boot_now() + look_every)) {
    if (plan.every > Duration{} && boot_now() >= next) {
      TRY(round(socket, plan, tally));
      next += plan.every;
    }
    channel.stats(TRY(stats_of(tally, table)), boot_now());
  }
  return {};
}

}  // namespace arashi::workers
