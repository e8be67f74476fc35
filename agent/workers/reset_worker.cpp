// The engine behind network.reset: ends open connections, once or every so often, and holds the rules that answer new ones with an RST.
#include "agent/workers/channel.hpp"
#include "agent/workers/worker_main.hpp"
#include "injector/faults/network_reset.hpp"
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

extern const Worker reset_worker;

namespace {

constexpr Duration look_every = std::chrono::milliseconds(500);

using network_reset::Change;
using network_reset::Stats;

// Only a SYN without ACK opens a connection. What the target opens is looked at before its destination is translated. A socket's cgroup is
// asked for by a rule that leads on: where there is no socket no rule about it holds. Of a SYN that comes in it is that of the listener.
std::string chain(const Change& plan, const std::string& hook, Remote remote) {
  const auto of_cgroup = plan.cgroup ? "socket cgroupv2 level " + std::to_string(plan.cgroup->level) + " \"" + plan.nft_path + "\" " : "";
  return "  chain opens_" + hook + " {\n" + pass_others(plan.traffic, remote) + "    counter name \"opened\"\n" +
         pass_unchosen(plan.fresh, plan.seed) + "    counter name \"refused\"\n    reject with tcp reset\n  }\n  chain " + hook +
         " {\n    type filter hook " + hook +
         " priority mangle; policy accept;\n    meta l4proto != tcp accept\n    tcp flags & (syn | ack) != syn accept\n    " + of_cgroup +
         "jump opens_" + hook + "\n  }\n";
}

Result<std::optional<NftTable>> refuse_new(const Change& plan) {
  if (plan.fresh <= 0) return std::optional<NftTable>{};
  std::string body = "  counter opened { }\n  counter refused { }\n";
  if (plan.traffic.egress) body += chain(plan, "output", Remote::destination);
  if (plan.traffic.ingress) body += chain(plan, "input", Remote::source);
  return std::optional(TRY(NftTable::make(plan.id, body)));
}

Result<void> round(netlink::Socket& socket, const Change& plan, Stats& tally) {
  const auto all = TRY(connections_of(Host{}, socket, plan.cgroup));
  // Another seed each time: a share of 50% is not the same half again and again.
  for (const auto& one : picked(all, plan.traffic, plan.existing, plan.seed + tally.rounds))
    if (TRY(destroy(socket, one))) ++tally.reset;
  tally.matched +=
      static_cast<std::uint64_t>(std::ranges::count_if(all, [&](const Connection& each) { return matches(plan.traffic, each); }));
  ++tally.rounds;
  return {};
}

std::uint64_t number_named(const std::map<std::string, std::uint64_t>& all, const std::string& name) {
  const auto found = all.find(name);
  return found == all.end() ? 0 : found->second;
}

Result<Stats> stats_of(Stats stats, const std::optional<NftTable>& table) {
  if (!table) return stats;
  const auto counters = TRY(table->counters());
  stats.opened = number_named(counters, "opened");
  stats.refused = number_named(counters, "refused");
  return stats;
}

Result<void> run(const Change& plan) {
  const auto netns = TRY(open_netns(Host{}, plan.netns));
  if (::setns(netns.get(), CLONE_NEWNET) != 0) return sys_fail("enter the network namespace");
  auto socket = TRY(netlink::Socket::open(netlink::Socket::Family::sock_diag));
  const auto table = TRY(refuse_new(plan));  // first, or what is reset might be opened again before it is there
  Stats tally;
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

}  // namespace

const Worker reset_worker = make_worker<run>("reset");

}  // namespace arashi::workers
