// `arashi backtest`: what the guard would have done in the past, so that a team can trust it before its first game day.
#include "experiments/backtest/study.hpp"
#include "experiments/commands/commands.hpp"
#include "experiments/commands/progress.hpp"
#include "experiments/engine/guard_terms.hpp"
#include "experiments/engine/planning.hpp"
#include "experiments/engine/recorded.hpp"
#include "experiments/engine/spec_file.hpp"
#include "injector/core/json.hpp"

#include <unistd.h>
#include <CLI/CLI.hpp>

#include <atomic>
#include <cstdio>
#include <memory>
#include <mutex>
#include <set>
#include <thread>

namespace arashi::commands {
namespace {

using engine::RecordOptions;

struct Options {
  std::string file, from, at, last, until, step, delay;
  bool prometheus = false, json = false;
  std::size_t starts = 1000;
  std::uint64_t seed = 1;
};

Result<Duration> optional_duration(const std::string& text, const char* option) {
  if (text.empty()) return Duration::zero();
  auto parsed = parse_duration(text);
  if (!parsed) return because(parsed.error(), option);
  if (*parsed <= Duration::zero()) return fail(Blame::input, option, ": must be more than 0");
  return parsed;
}

Result<RecordOptions> record_options(const Options& options, const spec::Experiment& experiment) {
  RecordOptions result{.from = options.from};
  const bool asks =
      std::ranges::all_of(experiment.slos, [](const auto& slo) { return std::ranges::any_of(slo.measures, engine::by_prometheus); });
  if (!options.prometheus && options.from.empty() && !asks) result.from = "-";
  if (options.prometheus && !options.from.empty()) return fail(Blame::input, "--from and --prometheus: one of them has the record");
  if (result.from == "-" && ::isatty(STDIN_FILENO) == 1)
    return fail(Blame::input, "standard input is a terminal: send JSON Lines to it, or name a file with --from");
  result.last = TRY(optional_duration(options.last, "--last"));
  result.step = TRY(optional_duration(options.step, "--step"));
  if (!options.until.empty()) result.until = TRY(backtest::parse_time(options.until));
  return result;
}

Result<backtest::Shape> shape_of(const spec::Experiment& experiment, const Options& options, const RecordOptions& from) {
  backtest::Shape shape{.steady = experiment.steady_for, .faults = spec::timeline_length(experiment)};
  std::set<Duration> times{Duration::zero()};
  for (const auto& step : experiment.timeline) times.insert(step.at);
  shape.injections.assign(times.begin(), times.end());
  shape.length = shape.faults + experiment.recovery_within;
  // What a live run would know later than it happened: it polls its servers every so often.
  if (from.from.empty())
    for (const auto& slo : experiment.slos)
      for (const auto& measure : slo.measures)
        if (const auto* source = std::get_if<spec::PrometheusSource>(&measure.source)) shape.delay = std::max(shape.delay, source->every);
  if (!options.delay.empty()) shape.delay = TRY(parse_duration(options.delay));
  return shape;
}

// All starts, on all processors; none depends on another.
Result<std::vector<backtest::Outcome>> replay_all(const backtest::Record& record, const guard::Config& config, const backtest::Shape& shape,
                                                  const std::vector<Duration>& starts) {
  std::vector<backtest::Outcome> outcomes(starts.size());
  std::atomic<std::size_t> next = 0, done = 0;
  std::mutex mutex;
  Error problem;
  Progress progress;
  const auto work = [&] {
    for (std::size_t i = next++; i < starts.size(); i = next++) {
      auto outcome = backtest::replay(record, config, shape, starts[i]);
      const std::lock_guard lock(mutex);
      if (outcome)
        outcomes[i] = std::move(outcome).value();
      else
        problem = outcome.error();
      progress.show(std::to_string(++done) + " of " + std::to_string(starts.size()) + " starts replayed");
    }
  };
  {
    std::vector<std::jthread> threads;
    for (unsigned i = 1; i < std::thread::hardware_concurrency(); ++i) threads.emplace_back(work);
    work();
  }
  if (!problem.message.empty()) return pass(problem);
  return outcomes;
}

Result<void> show_one(const Options& options, const backtest::Record& record, const guard::Config& config, const backtest::Shape& shape) {
  const Duration at = TRY(backtest::parse_time(options.at));
  if (at < record.begin() || at + shape.length > record.end())
    return fail(Blame::refused, "--at ", backtest::utc(at), ": the record goes from ", backtest::utc(record.begin()), " to ",
                backtest::utc(record.end()), ", and the experiment needs ", to_text(shape.length));
  const auto outcome = TRY(backtest::replay(record, config, shape, at));
  if (options.json)
    print_json(backtest::to_json(config, outcome));
  else
    print(backtest::to_text(config, outcome));
  return {};
}

Result<void> show_study(const Options& options, const backtest::Record& record, const guard::Config& config, const backtest::Shape& shape) {
  const auto starts = TRY(backtest::draw_starts(record, shape, options.starts, options.seed));
  const auto outcomes = TRY(replay_all(record, config, shape, starts));
  const auto study = backtest::summarise(record, shape, outcomes);
  if (options.json)
    print_json(backtest::to_json(record, config, shape, study, outcomes));
  else
    print(backtest::to_text(record, config, shape, study));
  return {};
}

// A record has one stream of events for each SLO: it stands for all that measure it.
guard::Config with_one_source(const spec::Experiment& experiment, const RecordOptions& from) {
  guard::Config config = engine::unmeasured_config(experiment);
  for (guard::SloTerms& slo : config.slos) {
    if (slo.sources.size() < 2) continue;
    const auto first = std::ranges::find_if(slo.sources, &guard::SourceTerms::authoritative);
    guard::SourceTerms kept = first == slo.sources.end() ? slo.sources.front() : *first;
    slo.sources = {std::move(kept)};
    std::fputs(("arashi backtest: note: SLO '" + slo.name + "' has several sources; " + (from.from.empty() ? "Prometheus" : "the record") +
                " stands for all of them\n")
                   .c_str(),
               stderr);
  }
  return config;
}

Result<backtest::Record> read_record_with_progress(const spec::Experiment& experiment, const RecordOptions& from) {
  Progress progress;
  return engine::read_record(experiment, from, [&](const std::string& text) { progress.show(text); });
}

std::int64_t whole_seconds(Duration since_1970) { return std::chrono::floor<std::chrono::seconds>(since_1970).count(); }

Result<int> backtest_it(const Options& options) {
  engine::SpecFile file = TRY(engine::load_local_spec(options.file));
  if (!file.good()) {
    std::fputs(engine::problem_lines(file).c_str(), stderr);
    return exit_usage;
  }
  auto& experiment = file.experiment;
  if (experiment.slos.empty()) return fail(Blame::input, "'", options.file, "' has no SLO, so there is no guard to try");
  const auto from = TRY(record_options(options, experiment));
  const auto shape = TRY(shape_of(experiment, options, from));
  TRY(spec::settle_windows(experiment, from.until > Duration{} ? whole_seconds(from.until) : engine::wall_clock_seconds()));
  const auto record = TRY(read_record_with_progress(experiment, from));
  TRY(spec::settle_windows(experiment, whole_seconds(record.end())));  // a calendar's window is the one that the record ends in
  const auto config = TRY(backtest::with_terms(with_one_source(experiment, from), record));
  TRY(options.at.empty() ? show_study(options, record, config, shape) : show_one(options, record, config, shape));
  return exit_ok;
}

void add_options(CLI::App& command, Options& options) {
  command.add_option("file", options.file, "the spec, YAML or JSON")->required();
  command.add_option("--from", options.from,
                     R"(JSON Lines {"t", "good", "bad"}, with several SLOs also "slo": a file, or - for standard input)");
  command.add_flag("--prometheus", options.prometheus, "ask the SLOs' Prometheus servers (this is what it does where all SLOs have one)");
  command.add_option("--last", options.last, "how much of the record, from its end backwards (default: the SLO's window; of a file all)");
  command.add_option("--until", options.until, "Prometheus: where the record ends, such as 2026-11-22T10:00:00Z (default: now)");
  command.add_option("--step", options.step,
                     "distance of two samples (default: Prometheus' scrape interval; of a file its usual distance)");
  command.add_option("--delay", options.delay,
                     "a sample is known so much later than its time (default: how often Prometheus is polled; of a file 0s)");
  command.add_option("--starts", options.starts, "how many random start times are tried")
      ->check(CLI::Range(1, 1'000'000))
      ->capture_default_str();
  command.add_option("--seed", options.seed, "draws the same start times again")->capture_default_str();
  command.add_option("--at", options.at, "only this start, such as 2026-11-22T10:00:00Z");
  command.add_flag("--json", options.json, "the findings as JSON");
}

}  // namespace

void add_backtest(CLI::App& app, int& exit_code) {
  auto* command = app.add_subcommand(
      "backtest", "what the guard would have done in the past: when it would have stopped, why, and how often for nothing");
  auto options = std::make_shared<Options>();
  add_options(*command, *options);
  command->footer(
      "Example:\n  arashi backtest examples/prometheus.yaml --last 7d\n  arashi backtest examples/held.yaml < counts.jsonl\n"
      "Nothing is injected. Exit code 0 when it could be replayed, 2 for a bad spec or record, 3 when the guard refuses or data are "
      "missing.");
  command->callback([options, &exit_code] {
    const auto done = backtest_it(*options);
    exit_code = done ? *done : complain("backtest", done.error());
  });
}

}  // namespace arashi::commands
