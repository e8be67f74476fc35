// The engine behind a repeated process.kill: every so often it ends the victim, or what has taken its place since.
#include "agent/workers/channel.hpp"
#include "agent/workers/worker_main.hpp"
#include "injector/faults/process_kill.hpp"
#include "injector/host/strike.hpp"
#include "injector/target.hpp"

#include <algorithm>
#include <csignal>

namespace arashi::workers {

extern const Worker kill_worker;

namespace {

using process_kill::Config;
using process_kill::Stats;

constexpr Duration death_patience = std::chrono::seconds(1);

struct Plan {
  Host host;
  Victim victim;
  int signal = SIGKILL;
  Duration every{};
  std::uint64_t most = 0;  // 0: until it is stopped
  std::vector<Identity> bystanders;
};

Identity identity_of(const Victim& victim) { return {victim.pid, victim.start_time}; }

Plan plan_from(const Config& config) {
  Plan plan{.host = {}, .victim = config.victim, .signal = config.signal, .every = config.every, .most = config.count, .bystanders = {}};
  plan.host.proc = config.proc;
  plan.host.cgroup = config.cgroup;
  plan.host.netns = config.netns;
  plan.host.protected_pids = config.protected_pids;
  return plan;
}

// Replicas that fit the same selector in the same place when the fault begins are not its victims, now or later.
Result<void> note_bystanders(Plan& plan) {
  if (plan.victim.scope != Scope::process) return {};
  for (const auto& each : TRY(successors(plan.host, plan.victim)))
    if (identity_of(each) != identity_of(plan.victim)) plan.bystanders.push_back(identity_of(each));
  return {};
}

// One process for a process, the oldest that is no bystander; all of them for a cgroup or a unit.
Result<std::vector<Identity>> present_victims(const Plan& plan) {
  std::vector<Identity> found;
  for (const auto& each : TRY(successors(plan.host, plan.victim)))
    if (std::ranges::find(plan.bystanders, identity_of(each)) == plan.bystanders.end()) found.push_back(identity_of(each));
  if (plan.victim.scope != Scope::process || found.size() < 2) return found;
  return std::vector{*std::ranges::min_element(found, {}, &Identity::start_time)};
}

Result<void> round(const Plan& plan, Stats& tally) {
  const auto victims = TRY(present_victims(plan));
  const bool is_fatal = plan.signal == SIGKILL;
  const auto struck = TRY(strike(plan.host, victims, plan.signal, is_fatal ? death_patience : Duration::zero()));
  const auto hit = is_fatal ? struck.ended : struck.sent;
  ++tally.rounds;
  tally.kills += hit;
  if (hit == 0) ++tally.missed;
  return {};
}

Result<void> run(const Config& config) {
  auto plan = plan_from(config);
  TRY(note_bystanders(plan));
  Stats tally;
  auto next = boot_now();
  TRY(round(plan, tally));
  if (tally.kills == 0) return fail(Blame::missing, plan.victim.label, " has ended since it was chosen");
  Channel channel;
  Channel::ready(tally);
  while (true) {
    const bool is_done = plan.most != 0 && tally.rounds >= plan.most;
    next += plan.every;
    if (!Channel::wait_until(is_done ? std::nullopt : std::optional(next))) return {};
    // What cannot be read this time (a process that ends while it is looked at) is a missed round and not the end.
    if (!round(plan, tally)) {
      ++tally.rounds;
      ++tally.missed;
    }
    channel.stats(tally, boot_now());
  }
}

}  // namespace

const Worker kill_worker = make_worker<run>("kill");

}  // namespace arashi::workers
