// `arashi check`: is a spec well written? All its problems, and nothing is touched.
#include "experiments/commands/commands.hpp"
#include "experiments/engine/spec_file.hpp"
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
  bool json = false, strict = false;
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
  return imported.format + ", " + count(imported.slos.size(), "SLO") + (names.empty() ? "" : ": ") + names;
}

// `auto`: clang-format takes a line that begins with import for a statement of JavaScript.
auto foreign(const std::string& name, import::Strictness strictness) {
  const auto text = spec::read_spec(name);
  return text ? import::import(*text, strictness) : import::Imported{};
}

struct Checked {
  engine::SpecFile file;
  std::string summary;
  std::vector<spec::Problem> notes;
};

Json json_of(const std::vector<spec::Problem>& problems) {
  Json list = Json::array();
  for (const auto& problem : problems)
    list.push_back({{"line", problem.where.line}, {"column", problem.where.column}, {"path", problem.path}, {"message", problem.message}});
  return list;
}

Json json_of(const Checked& checked) {
  Json problems = json_of(checked.file.problems);
  if (!checked.file.unreadable.empty()) problems.insert(problems.begin(), {{"message", checked.file.unreadable}});
  Json json = {{"file", checked.file.name}, {"ok", checked.file.good()}, {"problems", problems}};
  if (!checked.notes.empty()) json["notes"] = json_of(checked.notes);
  return json;
}

Checked look_at(const std::string& name, const std::vector<protocol::FaultText>& faults, import::Strictness strictness) {
  auto imported = foreign(name, strictness);
  if (!imported.format.empty())
    return {engine::SpecFile{.name = name, .problems = std::move(imported.problems)}, summary(imported), std::move(imported.notes)};
  engine::SpecFile file = engine::load_spec(name, faults);
  const std::string words = file.good() ? summary(file.experiment) : "";
  return {std::move(file), words, {}};
}

void tell(const Checked& checked) {
  if (checked.file.good()) print(checked.file.name + ": ok: " + checked.summary + "\n");
  if (!checked.file.good()) std::fputs(engine::problem_lines(checked.file).c_str(), stderr);
  for (const auto& note : checked.notes) std::fputs(("note: " + spec::to_text(checked.file.name, note) + "\n").c_str(), stderr);
}

int check(const Options& options) {
  const auto faults = engine::local_catalogue();
  if (!faults) return complain("check", faults.error());
  Json report = Json::array();
  int exit_code = exit_ok;
  for (const auto& name : options.files) {
    const auto checked = look_at(name, *faults, options.strict ? import::Strictness::strict : import::Strictness::lenient);
    if (!checked.file.good()) exit_code = exit_usage;
    if (options.json) report.push_back(json_of(checked));
    if (!options.json) tell(checked);
  }
  if (options.json) print_json(report);
  return exit_code;
}

}  // namespace

void add_check(CLI::App& app, int& exit_code) {
  auto* command = app.add_subcommand("check", "is a spec well written? prints every problem, with its place");
  auto options = std::make_shared<Options>();
  command->add_option("files", options->files, "spec files, YAML or JSON; or SLO files of OpenSLO v1, Sloth or Pyrra")->required();
  command->add_flag("--json", options->json, "problems as JSON");
  command->add_flag("--strict", options->strict, "OpenSLO: by all its published rules");
  command->footer("Example:\n  arashi check examples/*.yaml\nExit code 0 when all are well written, 2 otherwise.");
  command->callback([options, &exit_code] { exit_code = check(*options); });
}

}  // namespace arashi::commands
