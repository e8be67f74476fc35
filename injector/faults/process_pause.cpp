// Makes processes stand still: the cgroup freezer for a whole cgroup, SIGSTOP for a process.
#include "injector/host/cgroup.hpp"
#include "injector/host/files.hpp"
#include "injector/host/proc.hpp"
#include "injector/host/strike.hpp"
#include "injector/make_fault.hpp"

#include <algorithm>
#include <array>
#include <csignal>

namespace arashi {

extern const Fault process_pause_fault;

namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;

constexpr Duration patience = 2s;

// What is frozen: exactly this cgroup, not another that has taken its name.
struct Freezer {
  fs::path directory;
  std::uint64_t inode = 0;
  static constexpr auto keys = std::tuple(key("directory", &Freezer::directory), key("inode", &Freezer::inode));
};

struct Change {
  std::string id, label;
  std::vector<Identity> processes;
  std::optional<Freezer> freezer;  // none: SIGSTOP
  static constexpr auto keys = std::tuple(key("id", &Change::id), key("label", &Change::label), key("processes", &Change::processes),
                                          key("freezer", &Change::freezer));
};

constexpr std::array<std::string_view, 3> mechanisms{"auto", "freezer", "sigstop"};
constexpr std::array params{
    Param{.name = "mechanism",
          .type = ParamType::choice,
          .summary = "freezer: the whole cgroup, unseen by its processes; sigstop: the parent is told; auto: the freezer for "
                     "a cgroup or unit, sigstop for a process",
          .example = "sigstop",
          .fallback = "auto",
          .choices = mechanisms}};
constexpr std::array scopes{Scope::process, Scope::cgroup};

Result<std::vector<Identity>> victims_of(const Host& host, const Victim& victim) {
  if (victim.scope == Scope::process) {
    if (victim.pid == 1) return fail(Blame::refused, "process 1 is init: the machine would stand still with it");
    TRY(ProcessHandle::open(host, victim.pid, victim.start_time));
    return std::vector{Identity{victim.pid, victim.start_time}};
  }
  auto found = TRY(processes_below(host, victim.cgroup_path));
  if (found.empty()) return fail(Blame::missing, victim.label, " holds no process");
  return found;
}

// The cgroup to freeze: the victim's own if it can be, else the one of the same path in v2 or the v1 freezer that holds the very same
// processes.
Result<fs::path> freezable(const Host& host, const Victim& victim, const std::vector<Identity>& processes) {
  const fs::path own = victim.cgroup_path;
  if (victim.scope != Scope::process && freezer_version(own) != 0) return own;
  const auto all = hierarchies(host);
  const auto home = std::ranges::find_if(all, [&](const Hierarchy& each) {
    const auto relative = own.lexically_relative(each.root).string();
    return !relative.empty() && !relative.starts_with("..") && relative != ".";
  });
  if (home == all.end()) return fail(Blame::unsupported, "it is in no cgroup of its own");
  std::vector<fs::path> candidates{own};
  for (const auto& each : all) candidates.push_back(each.root / own.lexically_relative(home->root));
  for (const auto& candidate : candidates) {
    if (freezer_version(candidate) == 0) continue;
    const auto held = processes_below(host, candidate);
    if (held && *held == processes) return candidate;
  }
  return fail(Blame::unsupported, "no freezer holds exactly its processes");
}

struct Choice {
  std::optional<fs::path> directory;  // absent: SIGSTOP
  std::string because;
};

Result<Choice> choose(const Host& host, const Request& request, const std::vector<Identity>& processes) {
  const auto asked = text_param(request.params, "mechanism").value_or("auto");
  if (asked == "sigstop") return Choice{.directory = {}, .because = "asked for"};
  if (asked == "auto" && request.victim.scope == Scope::process)
    return Choice{.directory = {}, .because = "a process alone is stopped by a signal"};
  auto directory = freezable(host, request.victim, processes);
  if (directory) return Choice{.directory = *directory, .because = "a whole cgroup is frozen at once"};
  if (asked == "freezer") return because(directory.error(), "freeze ", request.victim.label);
  return Choice{.directory = {}, .because = directory.error().message};
}

std::string mechanism_name(const Choice& choice) {
  if (!choice.directory) return "sigstop";
  return freezer_version(*choice.directory) == 2 ? "freezer v2" : "freezer v1";
}

std::string claim_of(const Victim& victim) {
  if (victim.scope == Scope::process) return "process:" + std::to_string(victim.pid) + "/" + std::to_string(victim.start_time);
  return "cgroup:" + std::to_string(victim.cgroup);
}

// Who is paused already is somebody else's business: we would wake it in the end.
Result<void> must_run(const Host& host, const Choice& choice, const std::vector<Identity>& processes, const std::string& label) {
  if (choice.directory && TRY(freezer_state(*choice.directory)).asked) return fail(Blame::refused, label, " is frozen already, not by us");
  if (!choice.directory && look_at(host, processes).stopped > 0) return fail(Blame::refused, label, " is stopped already, not by us");
  return {};
}

Result<Prepared<Change>> prepare(const Host& host, const Request& request) {
  const auto processes = TRY(victims_of(host, request.victim));
  const auto choice = TRY(choose(host, request, processes));
  TRY(must_run(host, choice, processes, request.victim.label));
  Prepared<Change> prepared;
  prepared.change = {.id = request.id, .label = request.victim.label, .processes = processes, .freezer = {}};
  if (choice.directory) {
    const auto inode = TRY(inode_of(*choice.directory));
    prepared.change.freezer = Freezer{.directory = *choice.directory, .inode = inode};
  }
  prepared.claims = {claim_of(request.victim)};
  prepared.mechanism = mechanism_name(choice);
  prepared.because = choice.because;
  prepared.undo = choice.directory ? "thaw '" + choice.directory->string() + "'" : "SIGCONT";
  return prepared;
}

Evidence evidence_of(std::uint64_t processes, std::uint64_t paused, bool in_place, const std::string& detail) {
  Evidence evidence{
      .in_place = in_place, .bit = paused > 0 && in_place, .seen = processes, .affected = in_place ? paused : 0, .detail = detail};
  evidence.values.push_back({.what = "paused processes",
                             .unit = "count",
                             .requested = static_cast<double>(processes),
                             .achieved = static_cast<double>(in_place ? paused : 0)});
  return evidence;
}

// Whether it is still the one that was chosen.
bool is_there(const Freezer& freezer) {
  const auto inode = inode_of(freezer.directory);
  return inode && *inode == freezer.inode;
}

Result<Evidence> observe_frozen(const Host& host, const Freezer& freezer) {
  const auto& directory = freezer.directory;
  if (!is_there(freezer)) return fail(Blame::missing, "cgroup '", directory.string(), "' is gone");
  const auto state = TRY(freezer_state(directory));
  const auto held = TRY(processes_below(host, directory));
  const bool in_place = state.asked && state.frozen;
  return evidence_of(held.size(), held.size(), in_place, in_place ? "frozen: " + directory.string() : "thawed by someone else");
}

Result<Evidence> observe_stopped(const Host& host, const Change& change) {
  const auto standing = look_at(host, change.processes);
  if (standing.alive == 0) return fail(Blame::missing, change.label, " has ended");
  const auto count = change.processes.size();
  const auto detail = std::to_string(standing.stopped) + " of " + std::to_string(count) + " processes stand stopped";
  return evidence_of(count, standing.stopped, standing.stopped > 0, detail);
}

Result<Evidence> observe(const Host& host, const Change& change) {
  return change.freezer ? observe_frozen(host, *change.freezer) : observe_stopped(host, change);
}

Result<Evidence> apply_freezer(const Host& host, const Freezer& freezer) {
  if (!is_there(freezer)) return fail(Blame::missing, "cgroup '", freezer.directory.string(), "' is gone since it was chosen");
  TRY(freeze(freezer.directory, patience));
  return observe_frozen(host, freezer);
}

Result<Evidence> apply_stop(const Host& host, const Change& change) {
  const auto& processes = change.processes;
  const auto struck = TRY(strike(host, processes, SIGSTOP, Duration::zero()));
  if (struck.sent == 0) return fail(Blame::missing, change.label, " has ended since it was chosen");
  const auto deadline = boot_now() + patience;
  auto standing = look_at(host, processes);
  for (; standing.alive > 0 && standing.stopped < standing.alive && boot_now() < deadline; standing = look_at(host, processes)) breathe();
  if (standing.stopped < standing.alive)
    return fail(Blame::system, standing.alive - standing.stopped, " of ", standing.alive, " processes do not stop within ",
                to_text(patience));
  return observe_stopped(host, change);
}

Result<Evidence> apply(const Host& host, const Change& change) {
  return change.freezer ? apply_freezer(host, *change.freezer) : apply_stop(host, change);
}

Result<void> revert_freezer(const Freezer& freezer) {
  if (!is_there(freezer)) return {};
  const auto state = freezer_state(freezer.directory);
  auto thawed = !state ? Result<void>(pass(state.error())) : state->asked ? thaw(freezer.directory) : Result<void>{};
  if (!thawed && thawed.error().blame == Blame::missing) return {};
  return thawed;
}

Result<void> revert(const Host& host, const Change& change) {
  if (change.freezer) return revert_freezer(*change.freezer);
  // To all of them: a stop may still be on its way to one that is seen running, and SIGCONT takes that away too.
  TRY(strike(host, change.processes, SIGCONT, Duration::zero()));
  return {};
}

}  // namespace

const Fault process_pause_fault = make_fault<prepare, apply, revert, observe>(
    {.name = "process.pause",
     .summary = "makes processes stand still, as a long garbage collection or a stalled host does",
     .params = params,
     .scopes = scopes});

}  // namespace arashi
