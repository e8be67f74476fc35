// A user's own fault: a command that does it, one that takes it back, and one that looks whether it is there.
#include "injector/core/id.hpp"
#include "injector/host/cgroup.hpp"
#include "injector/host/command.hpp"
#include "injector/host/files.hpp"
#include "injector/host/worker.hpp"
#include "injector/make_fault.hpp"

#include <fcntl.h>

#include <array>
#include <filesystem>

namespace arashi {

extern const Fault command_run_fault;

namespace {

constexpr std::size_t output_limit = std::size_t{64} << 10U;
constexpr std::size_t shown_limit = 400;

constexpr std::array params{
    Param{.name = "command",
          .type = ParamType::list,
          .summary = "program and arguments that inject the fault; no shell",
          .example = "[/bin/true]",
          .required = true},
    Param{.name = "undo",
          .type = ParamType::list,
          .summary = "program and arguments that revert it; must be right when run twice, or after a command that did only half",
          .example = "[/bin/true]",
          .required = true},
    Param{.name = "verify",
          .type = ParamType::list,
          .summary = "exits 0 when the fault is in place; without it a run with this fault stays inconclusive",
          .example = "[/bin/true]"},
    Param{.name = "timeout",
          .type = ParamType::duration,
          .summary = "for command and for verify; then they are killed",
          .example = "10s",
          .fallback = "10s",
          .least = 1e6,
          .most = 6e11},
    Param{.name = "undoTimeout",
          .type = ParamType::duration,
          .summary = "for undo; then it is killed, and tried again",
          .example = "10s",
          .fallback = "10s",
          .least = 1e6,
          .most = 6e11},
    Param{.name = "outlivesReboot",
          .type = ParamType::boolean,
          .summary = "a reboot does not revert it (it changes files): undo also runs after one",
          .example = "true",
          .fallback = "false"},
};
constexpr std::array scopes{Scope::node, Scope::process, Scope::cgroup, Scope::netns};

std::string undo_name(const std::string& id) { return id + ".undo"; }

struct Change {
  std::string id, boot;
  std::vector<std::string> command, undo, verify;  // verify may be empty
  Duration timeout{}, undo_timeout{};
  std::map<std::string, std::string> env;
  static constexpr auto keys = std::tuple(key("id", &Change::id), key("boot", &Change::boot), key("command", &Change::command),
                                          key("undo", &Change::undo), key("verify", &Change::verify), key("timeout", &Change::timeout),
                                          key("undoTimeout", &Change::undo_timeout), key("env", &Change::env));
};

Result<void> check_command(const Json& canonical, std::string_view name) {
  const auto argv = list_param(canonical, name);
  if (argv.empty() || argv.front().empty()) return fail(Blame::input, "'", name, "' names no program");
  for (const auto& word : argv)
    if (word.find('\0') != std::string::npos) return fail(Blame::input, "'", name, "' holds a zero byte");
  return {};
}

Result<void> check(const Json& canonical) {
  TRY(check_command(canonical, "command"));
  TRY(check_command(canonical, "undo"));
  if (canonical.contains("verify")) TRY(check_command(canonical, "verify"));
  return {};
}

std::map<std::string, std::string> environment_of(const Request& request) {
  const auto& victim = request.victim;
  return {{"ARASHI_INJECTION", request.id},
          {"ARASHI_EXPERIMENT", request.experiment},
          {"ARASHI_VICTIM_KIND", victim.kind},
          {"ARASHI_VICTIM", victim.label},
          {"ARASHI_VICTIM_PID", victim.pid == 0 ? "" : std::to_string(victim.pid)},
          {"ARASHI_VICTIM_NETNS", victim.netns_path},
          {"ARASHI_VICTIM_CGROUP", victim.cgroup_path}};
}

Result<Prepared<Change>> prepare(const Host& host, const Request& request) {
  TRY(check(request.params));
  const auto cgroup = own_cgroup(host, request.id);
  const auto boot = TRY(boot_id());
  Prepared<Change> prepared;
  const auto& given = request.params;
  prepared.change = {.id = request.id,
                     .boot = boot,
                     .command = list_param(given, "command"),
                     .undo = list_param(given, "undo"),
                     .verify = list_param(given, "verify"),
                     .timeout = duration_param(given, "timeout").value_or(std::chrono::seconds(10)),
                     .undo_timeout = duration_param(given, "undoTimeout").value_or(std::chrono::seconds(10)),
                     .env = environment_of(request)};
  prepared.claims = {"command:" + request.id};
  prepared.mechanism = "command";
  prepared.because =
      request.params.contains("verify") ? "a user's own fault" : "a user's own fault; without verify nothing shows that it took effect";
  prepared.undo = "run " + to_text(Json(prepared.change.undo));
  if (!cgroup) prepared.because += "; without cgroups what it leaves running is not ended";
  prepared.outlives_reboot = flag_param(request.params, "outlivesReboot");
  return prepared;
}

Result<Outcome> run(const Change& change, const std::vector<std::string>& argv, Duration timeout,
                    const std::vector<std::filesystem::path>& cgroups) {
  return run_command({.argv = argv, .env = change.env, .directory = "/", .cgroups = cgroups, .dies_with_starter = true}, timeout,
                     output_limit);
}

std::string said(const Outcome& outcome) {
  auto text = outcome.output.substr(0, shown_limit);
  while (text.ends_with('\n')) text.pop_back();
  const auto more = outcome.cut + outcome.output.size() - std::min(outcome.output.size(), shown_limit);
  if (more > 0) text += " … (" + std::to_string(more) + " more bytes)";
  return text.empty() ? "it said nothing" : "it said: " + text;
}

Result<void> must_succeed(const Outcome& outcome, const std::string& what, Duration timeout) {
  if (outcome.timed_out) return fail(Blame::system, what, " was killed after ", to_text(timeout), "; ", said(outcome));
  if (outcome.exit_code > 128) return fail(Blame::system, what, " was ended by signal ", outcome.exit_code - 128, "; ", said(outcome));
  if (outcome.exit_code != 0) return fail(Blame::system, what, " exited with ", outcome.exit_code, "; ", said(outcome));
  return {};
}

// An empty file in the agent's run directory, made before the command and removed after an undo that succeeded: that it is there says that
// the command may have run. No cgroup could say so, as whoever tidies up removes an empty one.
std::filesystem::path mark_of(const Host& host, const Change& change) { return host.run / undo_name(change.id); }

Result<Evidence> apply(const Host& host, const Change& change) {
  const auto timeout = change.timeout;
  std::vector<std::filesystem::path> cgroups;
  TRY(open_file(mark_of(host, change), O_WRONLY | O_CREAT | O_NOFOLLOW));
  if (own_cgroup(host, change.id)) {
    cgroups.push_back(TRY(make_own_cgroup(host, change.id)));
  }
  const auto ran = TRY(run(change, change.command, timeout, cgroups));
  TRY(must_succeed(ran, "the command", timeout));
  Evidence evidence{.seen = 1, .affected = 1, .detail = "the command exited with 0 after " + to_text(ran.took) + "; " + said(ran)};
  evidence.values.push_back({.what = "exit", .unit = "count", .requested = 0.0, .achieved = 0.0});
  if (change.verify.empty()) return evidence;
  const auto looked = TRY(run(change, change.verify, timeout, cgroups));
  TRY(must_succeed(looked, "verify", timeout));
  evidence.in_place = evidence.bit = true;
  evidence.detail += "; verified";
  return evidence;
}

// The mark may be gone while what it stood for is not: after a reboot, and where somebody has deleted it or the run directory. An undo
// must be right when run twice, so whatever was active is undone.
bool may_have_run(const Host& host, const Change& change) {
  std::error_code error;
  return host.applied || std::filesystem::exists(mark_of(host, change), error) || error || change.boot != boot_id().value_or("");
}

Result<void> revert(const Host& host, const Change& change) {
  TRY(stop_processes(host, change.id));
  if (!may_have_run(host, change)) return {};
  const auto timeout = change.undo_timeout;
  std::vector<std::filesystem::path> cgroups;
  if (own_cgroup(host, change.id)) {
    cgroups.push_back(TRY(make_own_cgroup(host, undo_name(change.id))));
    TRY(kill_cgroup(cgroups.front()));  // an undo that a dead agent had begun
  }
  const auto ran = TRY(run(change, change.undo, timeout, cgroups));
  TRY(must_succeed(ran, "undo", timeout));
  for (const auto& cgroup : cgroups) {
    TRY(kill_cgroup(cgroup));
    TRY(remove_cgroup(cgroup));
  }
  std::error_code error;
  std::filesystem::remove(mark_of(host, change), error);
  if (error) return fail(Blame::system, "remove '", mark_of(host, change).string(), "': ", error.message());
  return {};
}

Result<Evidence> observe(const Host& /*host*/, const Change& /*change*/) {
  return fail(Blame::unsupported, "a command's effect is verified once, after it ran");
}

}  // namespace

const Fault command_run_fault =
    make_fault<prepare, apply, revert, observe>({.name = "command.run",
                                                 .summary = "runs your own program as a fault, and another to revert it",
                                                 .params = params,
                                                 .scopes = scopes,
                                                 .slow_revert = true,
                                                 .check = check});

}  // namespace arashi
