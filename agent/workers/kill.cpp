// The engine behind a repeated process.kill: every so often it ends the victim, or what has taken its place since.
#include "agent/workers/channel.hpp"
#include "agent/workers/worker_main.hpp"
#include "injector/core/json.hpp"
#include "injector/host/strike.hpp"
#include "injector/target.hpp"

#include <algorithm>
#include <csignal>

namespace arashi::workers {

namespace {

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

Plan plan_from(const Json& config) {
  Plan plan;
  const auto& roots = config.at("roots");
  plan.host.proc = roots.at("proc").get<std::string>();
  plan.host.cgroup = roots.at("cgroup").get<std::string>();
  plan.host.netns = roots.at("netns").get<std::string>();
  config.at("protected").get_to(plan.host.protected_pids);
  config.at("victim").get_to(plan.victim);
  config.at("signal").get_to(plan.signal);
  plan.every = Duration(config.at("every").get<std::int64_t>());
  config.at("count").get_to(plan.most);
  return plan;
}

// Replicas that fit the same selector in the same place when the fault begins are not its victims, now or later.
Result<void> note_bystanders(Plan& plan) {
  if (plan.victim.kind != "process") return {};
  for (const auto& each : TRY(successors(plan.host, plan.victim)))
    if (identity_of(each) != identity_of(plan.victim)) plan.bystanders.push_back(identity_of(each));
  return {};
}

// One process for a process, the oldest that is no bystander; all of them for a cgroup or a unit.
Result<std::vector<Identity>> present_victims(const Plan& plan) {
  std::vector<Identity> found;
  for (const auto& each : TRY(successors(plan.host, plan.victim)))
    if (std::ranges::find(plan.bystanders, identity_of(each)) == plan.bystanders.end()) found.push_back(identity_of(each));
  if (plan.victim.kind != "process" || found.size() < 2) return found;
  return std::vector{*std::ranges::min_element(found, {}, &Identity::start_time)};
}

struct Tally {
  std::uint64_t rounds = 0, kills = 0, missed = 0;
};

Result<void> round(const Plan& plan, Tally& tally) {
  const auto victims = TRY(present_victims(plan));
  const bool is_fatal = plan.signal == SIGKILL;
  const auto struck = TRY(strike(plan.host, victims, plan.signal, is_fatal ? death_patience : Duration::zero()));
  const auto hit = is_fatal ? struck.ended : struck.sent;
  ++tally.rounds;
  tally.kills += hit;
  if (hit == 0) ++tally.missed;
  return {};
}

Json to_stats(const Tally& tally) { return {{"rounds", tally.rounds}, {"kills", tally.kills}, {"missed", tally.missed}}; }

}  // namespace

Result<void> run_kill(const Json& config) {
  auto plan = plan_from(config);
  TRY(note_bystanders(plan));
  Tally tally;
  auto next = boot_now();
  TRY(round(plan, tally));
  if (tally.kills == 0) return fail(Blame::missing, plan.victim.label, " has ended since it was chosen");
  Channel channel;
  Channel::ready(to_stats(tally));
  while (true) {
    const bool is_done = plan.most != 0 && tally.rounds >= plan.most;
    next += plan.every;
    if (!Channel::wait_until(is_done ? std::nullopt : std::optional(next))) return {};
    // What cannot be read this time (a process that ends while it is looked at) is a missed round and not the end.
    if (!round(plan, tally)) {
      ++tally.rounds;
      ++tally.missed;
    }
    channel.stats(to_stats(tally), boot_now());
  }
}

}  // namespace arashi::workers
