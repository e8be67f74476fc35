// `arashi run`: check, plan, break, guard, put back, tell.
#include "experiments/commands/agent_options.hpp"
#include "experiments/commands/commands.hpp"
#include "experiments/commands/terminal.hpp"
#include "experiments/engine/engine.hpp"
#include "experiments/engine/errand.hpp"
#include "experiments/engine/planning.hpp"
#include "experiments/engine/run_folder.hpp"
#include "experiments/engine/run_name.hpp"
#include "experiments/engine/spec_file.hpp"
#include "experiments/report/report.hpp"
#include "injector/core/json.hpp"

#include <unistd.h>
#include <CLI/CLI.hpp>

#include <algorithm>
#include <cstdio>
#include <memory>
#include <set>

namespace arashi::commands {
namespace {

struct Options {
  std::string file, out;
  AgentChoice fleet;
  std::optional<std::uint64_t> seed;
  bool json = false, quiet = false;
};

void tell(const std::string& line) { std::fputs(("arashi run: " + line + "\n").c_str(), stderr); }

Show how_to_show(const Options& options) {
  if (options.quiet) return Show::nothing;
  return !options.json && ::isatty(STDOUT_FILENO) == 1 ? Show::picture : Show::lines;
}

// Exit code and words of a stop before there was anything to run.
int stopped_early(const std::string& by) {
  tell("interrupted by " + by + " while the agents were asked; nothing was changed");
  return run::exit_code(run::Outcome::interrupted);
}

int show_end(const Options& options, run::RunResult& result, engine::RunFolder& folder) {
  const auto problems = folder.finish(result);
  const Json json = run::to_json(result);
  if (options.json) {
    print_json(json);
  } else {
    print(report::terminal(json, ::isatty(STDOUT_FILENO) == 1));
    const auto report = folder.path() / "report.html";
    std::error_code none;
    if (std::filesystem::exists(report, none)) print("  report: " + report.string() + "\n");
  }
  const std::set<std::string> once(problems.begin(), problems.end());
  for (const auto& problem : once) tell("the run's folder is not whole: " + problem);
  return run::exit_code(result.outcome);
}

Result<int> carry_out(const Options& options, const engine::Job& job, const engine::Agents& agents, StopSignals& signals) {
  auto folder = TRY(engine::RunFolder::make(options.out, job.experiment));
  const bool talks = !options.quiet && !options.json;
  if (talks) print("run " + job.run + " in " + folder.path().string() + "\n");
  Screen screen(job.experiment, how_to_show(options), options.json);
  auto result = engine::carry_out(job, agents, {&folder, &screen}, signals);
  if (!result) {
    folder.discard();
    return pass(result.error());
  }
  if (how_to_show(options) == Show::picture)  // plain lines have told them
    for (const auto& warning : result->plan.warnings) tell("warning: " + warning);
  return show_end(options, *result, folder);
}

Result<int> run_it(const Options& options) {
  StopSignals signals;  // before any thread starts
  auto briefed = engine::unless_stopped<engine::Brief>(
      signals, [options] { return engine::brief(options.file, options.fleet, options.fleet.run_directory); });
  if (briefed.stopped_by) return stopped_early(*briefed.stopped_by);
  auto [file, fleet] = TRY(std::move(*briefed.result));
  if (!file.good()) {
    std::fputs(engine::problem_lines(file).c_str(), stderr);
    return exit_usage;
  }
  engine::Job job{.experiment = std::move(file.experiment), .seed = options.seed ? *options.seed : engine::fresh_seed()};
  TRY(spec::settle_windows(job.experiment, engine::wall_clock_seconds()));
  job.run = engine::new_run_name(job.experiment.name);
  job.budgets = std::filesystem::path(options.fleet.run_directory) / "budget";
  if (fleet.embedded)
    job.started[fleet.embedded->address().name] = {.ended = [&own = *fleet.embedded] { return own.ended(); },
                                                   .recover = fleet.embedded->recovery()};
  return carry_out(options, job, fleet.agents, signals);
}

}  // namespace

void add_run(CLI::App& app, int& exit_code) {
  auto* command = app.add_subcommand("run", "run an experiment: check, plan, inject, guard, revert, report");
  auto options = std::make_shared<Options>();
  command->add_option("file", options->file, "the spec, YAML or JSON")->required();
  add_agent_options(*command, options->fleet, Local::started);
  add_run_directory(*command, options->fleet);
  command->add_option("--out", options->out, "the run's folder, new or empty; default arashi-runs/NAME-TIME here");
  command->add_option("--seed", options->seed, "draw the victims with this seed where the spec gives none, to repeat a run");
  command->add_flag("--json", options->json, "print result.json at the end; progress goes to stderr");
  command->add_flag("--quiet", options->quiet, "no progress, only the end");
  command->footer(
      "Example:\n  arashi run examples/held.yaml\n  arashi run game-day.yaml --agents 10.0.0.3,10.0.0.4 --pki pki/runner\n"
      "Exit code: 0 held, 1 refuted or aborted, 2 bad spec, 3 refused or no steady state, 4 stopped, 5 inconclusive,\n"
      "6 something may be left behind. ^C interrupts it and reverts everything.");
  command->callback([options, &exit_code] {
    const auto ran = run_it(*options);
    exit_code = ran ? *ran : complain("run", ran.error());
  });
}

}  // namespace arashi::commands
