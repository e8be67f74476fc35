// `arashi run`: check, plan, break, guard, put back, tell.
#include "experiments/commands/agent_options.hpp"
#include "experiments/commands/commands.hpp"
#include "experiments/commands/terminal.hpp"
#include "experiments/engine/budget_ledger.hpp"
#include "experiments/engine/guard_terms.hpp"
#include "experiments/engine/planning.hpp"
#include "experiments/engine/run_folder.hpp"
#include "experiments/engine/run_loop.hpp"
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

struct Run {
  spec::Experiment experiment;
  plan::Plan plan;
  guard::Config config;
  std::string name = {}, started = {};
};

// Only the agents that will be asked for something: a lease elsewhere would only be one more thing that can fail.
engine::Agents agents_of(const plan::Plan& plan, const engine::Agents& all) {
  engine::Agents needed;
  for (const auto& one : plan.injections)
    if (const auto agent = all.find(one.agent); agent != all.end()) needed.insert(*agent);
  return needed;
}

Result<run::RunResult> carry_out(const Options& options, const Run& run, const engine::Agents& agents, engine::RunFolder& folder,
                                 StopSignals& signals) {
  auto guard = TRY(guard::Guard::make(run.config));
  const Duration epoch = boot_now();
  run::Runner runner(run.experiment, run.plan, std::move(guard), run.name);
  engine::Hands hands(run.experiment, agents_of(run.plan, agents), run.name, epoch);
  TRY(hands.start_sources());
  Screen screen(run.experiment, how_to_show(options), options.json);
  auto result = engine::run_loop(runner, hands, {&folder, &screen}, signals, epoch);
  result.started = run.started;
  return result;
}

int show_end(const Options& options, const run::RunResult& result, engine::RunFolder& folder) {
  const Json json = run::to_json(result);
  const auto problems = folder.finish(json);
  if (options.json) {
    print_json(json);
  } else {
    print(report::terminal(json, ::isatty(STDOUT_FILENO) == 1));
    print("  report: " + (folder.path() / "report.html").string() + "\n");
  }
  const std::set<std::string> once(problems.begin(), problems.end());
  for (const auto& problem : once) tell("the run's folder is not whole: " + problem);
  return run::exit_code(result.outcome);
}

Result<int> run_it(const Options& options) {
  StopSignals signals;  // before any thread starts
  auto [file, fleet] = TRY(engine::brief(options.file, options.fleet, options.fleet.run_directory));
  if (!file.good()) {
    std::fputs(engine::problem_lines(file).c_str(), stderr);
    return exit_usage;
  }
  Run run{.experiment = std::move(file.experiment), .plan = {}, .config = {}};
  run.started = wall_clock_text();
  TRY(spec::settle_windows(run.experiment, engine::wall_clock_seconds()));
  run.plan =
      engine::make_plan(run.experiment, fleet.agents, engine::wall_clock_seconds(), options.seed ? *options.seed : engine::fresh_seed());
  run.config = TRY(engine::guard_config(run.experiment));
  run.name = engine::new_run_name(run.experiment.name);
  // What could never work, or has nothing left to spend, is said before a folder is made.
  const auto ledger =
      TRY(engine::BudgetLedger::enter(std::filesystem::path(options.fleet.run_directory) / "budget", run.name, run.experiment, run.config));
  engine::RunFolder folder = TRY(engine::RunFolder::make(options.out, run.experiment, run.plan, run.config));
  if (!options.quiet && !options.json) {
    for (const auto& warning : run.plan.warnings) tell("warning: " + warning);
    print("run " + run.name + " in " + folder.path().string() + "\n");
  }
  const auto result = TRY(carry_out(options, run, fleet.agents, folder, signals));
  return show_end(options, result, folder);
}

}  // namespace

void add_run(CLI::App& app, int& exit_code) {
  auto* command = app.add_subcommand("run", "run an experiment: check, plan, break, guard, put back, tell");
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
      "6 something may be left behind. ^C stops it and puts everything back.");
  command->callback([options, &exit_code] {
    const auto ran = run_it(*options);
    exit_code = ran ? *ran : complain("run", ran.error());
  });
}

}  // namespace arashi::commands
