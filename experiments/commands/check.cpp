// `arashi check`: is a spec well written? All its problems, and nothing is touched.
#include "experiments/commands/commands.hpp"
#include "experiments/commands/spec_file.hpp"
#include "experiments/import/import.hpp"
#include "injector/core/json.hpp"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <memory>
#include <set>

namespace arashi::commands {
namespace {

struct Options {
  std::vector<std::string> files;
  bool json = false;
};

std::string count(std::size_t number, const std::string& thing) { return std::to_string(number) + " " + thing + (number == 1 ? "" : "s"); }

std::string summary(const spec::Experiment& experiment) {
  std::set<std::string> used;
  for (const auto& step : experiment.timeline) used.insert(step.on);
  return experiment.name + ", " + count(experiment.timeline.size(), "fault") + " on " + count(used.size(), "target") + " in " +
         to_text(spec::timeline_length(experiment)) + ", guarded by " + count(experiment.slos.size(), "SLO");
}

// An SLO file of another tool, as `slos: {NAME: {from: FILE}}` would read it.
std::string summary(const import::Imported& imported) {
  std::string names;
  for (const auto& slo : imported.slos) names += (names.empty() ? "" : ", ") + slo.name;
  return imported.format + ", " + count(imported.slos.size(), "SLO") + ": " + names;
}

import::Imported foreign(const std::string& name){const auto text = spec::read_spec(name);
return text ? import::import(*text) : import::Imported{};
}  // namespace

Json json_of(const SpecFile& file) {
  Json problems = Json::array();
  if (!file.unreadable.empty()) problems.push_back({{"message", file.unreadable}});
  for (const auto& problem : file.problems)
    problems.push_back(
        {{"line", problem.where.line}, {"column", problem.where.column}, {"path", problem.path}, {"message", problem.message}});
  return {{"file", file.name}, {"ok", file.good()}, {"problems", problems}};
}

int check(const Options& options) {
  const auto faults = local_catalogue();
  if (!faults) return complain("check", faults.error());
  Json report = Json::array();
  int exit_code = exit_ok;
  for (const auto& name : options.files) {
    const auto imported = foreign(name);
    const SpecFile file = imported.format.empty() ? load_spec(name, *faults) : SpecFile{.name = name, .problems = imported.problems};
    if (!file.good()) exit_code = exit_usage;
    if (options.json)
      report.push_back(json_of(file));
    else if (file.good())
      print(name + ": ok: " + (imported.format.empty() ? summary(file.experiment) : summary(imported)) + "\n");
    else
      std::fputs(problem_lines(file).c_str(), stderr);
  }
  if (options.json) print_json(report);
  return exit_code;
}

}  // namespace arashi::commands

void add_check(CLI::App& app, int& exit_code) {
  auto* command = app.add_subcommand("check", "is a spec well written? prints every problem, with its place");
  auto options = std::make_shared<Options>();
  command->add_option("files", options->files, "spec files, YAML or JSON; or SLO files of OpenSLO v1, Sloth or Pyrra")->required();
  command->add_flag("--json", options->json, "problems as JSON");
  command->footer("Example:\n  arashi check examples/*.yaml\nExit code 0 when all are well written, 2 otherwise.");
  command->callback([options, &exit_code] { exit_code = check(*options); });
}

}  // namespace arashi::commands
