// Ends processes, or sends them another signal: once, or again and again whatever takes their place.
#include "injector/faults/process_kill.hpp"

#include "injector/held_by_worker.hpp"
#include "injector/host/proc.hpp"
#include "injector/host/strike.hpp"

#include <algorithm>
#include <array>
#include <csignal>

namespace arashi {

extern const Fault process_kill_fault;

namespace {

using namespace std::chrono_literals;

constexpr Duration death_patience = 5s;  // SIGKILL is not answered sooner by a process in an uninterruptible wait
constexpr WorkerUse worker{.engine = "kill", .patience = 5s, .ended = "the worker that repeats the kill has ended", .grace = {}};

using process_kill::Stats;

struct Change {
  std::string id;
  Victim victim;
  std::vector<Identity> processes;
  std::int32_t signal = SIGKILL;
  Duration every{};         // zero: once
  std::uint64_t count = 0;  // rounds; 0: until it is stopped
  static constexpr auto keys = std::tuple(key("id", &Change::id), key("victim", &Change::victim), key("processes", &Change::processes),
                                          key("signal", &Change::signal), key("every", &Change::every), key("count", &Change::count));
};

struct Signal {
  std::string_view name;
  int number;
};
constexpr std::array signals{Signal{"KILL", SIGKILL}, Signal{"TERM", SIGTERM}, Signal{"INT", SIGINT},   Signal{"HUP", SIGHUP},
                             Signal{"QUIT", SIGQUIT}, Signal{"ABRT", SIGABRT}, Signal{"SEGV", SIGSEGV}, Signal{"BUS", SIGBUS},
                             Signal{"ALRM", SIGALRM}, Signal{"PIPE", SIGPIPE}, Signal{"USR1", SIGUSR1}, Signal{"USR2", SIGUSR2}};
constexpr auto signal_names = [] {
  std::array<std::string_view, signals.size()> names{};
  std::ranges::transform(signals, names.begin(), &Signal::name);
  return names;
}();

constexpr std::array params{
    Param{.name = "signal",
          .type = ParamType::choice,
          .summary = "which signal",
          .example = "TERM",
          .fallback = "KILL",
          .choices = signal_names},
    Param{.name = "every",
          .type = ParamType::duration,
          .summary = "again after this time, to whatever has taken the victim's place; absent: once",
          .example = "10s",
          .least = 1e8,
          .most = 3.6e12},
    Param{.name = "count",
          .type = ParamType::integer,
          .summary = "with every: at most so many times",
          .example = "3",
          .least = 1,
          .most = 1e6},
};
constexpr std::array scopes{Scope::process, Scope::cgroup};

int number_of(const std::string& name) {
  const auto found = std::ranges::find(signals, name, &Signal::name);
  return found == signals.end() ? SIGKILL : found->number;
}

Result<std::vector<Identity>> victims_of(const Host& host, const Victim& victim) {
  if (victim.scope == Scope::process) {
    if (victim.pid == 1) return fail(Blame::refused, "process 1 is init: the machine would go down with it");
    TRY(ProcessHandle::open(host, victim.pid, victim.start_time));
    return std::vector{Identity{victim.pid, victim.start_time}};
  }
  auto found = TRY(processes_below(host, victim.cgroup_path));
  if (found.empty()) return fail(Blame::missing, victim.label, " holds no process");
  return found;
}

std::string claim_of(const Victim& victim) {
  if (victim.scope == Scope::process) return "process:" + std::to_string(victim.pid) + "/" + std::to_string(victim.start_time);
  return "cgroup:" + std::to_string(victim.cgroup);
}

Result<void> check(const Json& given) {
  if (number_param(given, "count") && !duration_param(given, "every"))
    return fail(Blame::input, "count is for a repeated kill: give every too");
  return {};
}

Result<Prepared<Change>> prepare(const Host& host, const Request& request) {
  TRY(check(request.params));
  const auto victims = TRY(victims_of(host, request.victim));
  const auto signal = text_param(request.params, "signal").value_or("KILL");
  const auto every = duration_param(request.params, "every");
  const auto count = number_param(request.params, "count");
  if (every && request.victim.selector.has("pid"))
    return fail(Blame::input, "a repeated kill by pid finds no successor: choose the process by name, port, cgroup or user");
  Prepared<Change> prepared;
  prepared.change = {.id = request.id,
                     .victim = request.victim,
                     .processes = victims,
                     .signal = number_of(signal),
                     .every = every.value_or(Duration{}),
                     .count = count ? static_cast<std::uint64_t>(*count) : 0};
  prepared.claims = {claim_of(request.victim)};
  prepared.mechanism = "signal";
  prepared.because = every ? "SIG" + signal + " by pidfd every " + to_text(*every) + " from a worker" : "SIG" + signal + " by pidfd, once";
  const std::string cannot = "a process that has ended cannot be brought back: what supervises it must start it again";
  prepared.undo = every ? "stop the repetition; " + cannot : cannot;
  return prepared;
}

Evidence evidence_of(int signal, std::uint64_t seen, std::uint64_t affected, const std::string& detail) {
  Evidence evidence{.in_place = true, .bit = affected > 0, .seen = seen, .affected = affected, .detail = detail};
  evidence.values.push_back({.what = signal == SIGKILL ? "kills" : "signals",
                             .unit = "count",
                             .requested = static_cast<double>(seen),
                             .achieved = static_cast<double>(affected)});
  return evidence;
}

Evidence evidence_of_rounds(const Change& change, const Stats& stats) {
  const auto detail = std::to_string(stats.rounds) + " rounds, " + std::to_string(stats.missed) + " without a victim";
  return evidence_of(change.signal, stats.rounds, stats.kills, detail);
}

bool repeats(const Change& change) { return change.every > Duration{}; }

Result<Evidence> repeat(const Host& host, const Change& change) {
  if (look_at(host, change.processes).alive == 0) return fail(Blame::missing, "nothing to kill: it has ended since it was chosen");
  const process_kill::Config config{.victim = change.victim,
                                    .signal = change.signal,
                                    .every = change.every,
                                    .count = change.count,
                                    .protected_pids = host.protected_pids,
                                    .proc = host.proc,
                                    .cgroup = host.cgroup,
                                    .netns = host.netns};
  return evidence_of_rounds(change, TRY(start_worker<Stats>(host, worker, change.id, config)));
}

Result<Evidence> apply(const Host& host, const Change& change) {
  if (repeats(change)) return repeat(host, change);
  const bool is_fatal = change.signal == SIGKILL;
  const auto struck = TRY(strike(host, change.processes, change.signal, is_fatal ? death_patience : Duration::zero()));
  if (struck.sent == 0)
    return fail(Blame::missing, "nothing to kill: all ", change.processes.size(), " processes have ended since they were chosen");
  if (is_fatal && struck.ended < struck.sent)
    return fail(Blame::system, struck.sent - struck.ended, " of ", struck.sent, " killed processes did not end within ",
                to_text(death_patience));
  return evidence_of(change.signal, change.processes.size(), is_fatal ? struck.ended : struck.sent,
                     std::to_string(struck.sent) + (is_fatal ? " processes ended" : " signals delivered"));
}

Result<void> revert(const Host& host, const Change& change) {
  return repeats(change) ? revert_by_worker<worker>(host, change) : Result<void>{};
}

Result<Evidence> observe(const Host& host, const Change& change) {
  if (repeats(change)) return observe_by_worker<worker, evidence_of_rounds>(host, change);
  return fail(Blame::unsupported, "what was done once is not read again");
}

}  // namespace

const Fault process_kill_fault =
    make_fault<prepare, apply, revert, observe>({.name = "process.kill",
                                                 .summary = "ends processes, or sends another signal, once or again and again",
                                                 .params = params,
                                                 .scopes = scopes,
                                                 .reversible = false,
                                                 .check = check});

}  // namespace arashi
