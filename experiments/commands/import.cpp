// `arashi import`: an SLO file of another tool in the form of our own spec.
#include "experiments/import/import.hpp"

#include "experiments/commands/commands.hpp"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <memory>

namespace arashi::commands {
namespace {

struct Options {
  std::string file, server = "http://127.0.0.1:9090";
  bool strict = false;
};

void tell(const std::string& line) { std::fputs((line + "\n").c_str(), stderr); }

Result<int> import_it(const Options& options) {
  const auto text = TRY(spec::read_spec(options.file));
  const auto imported = import::import(text, options.strict ? import::Strictness::strict : import::Strictness::lenient);
  if (imported.format.empty() && imported.problems.empty())
    return fail(Blame::input, "'", options.file, "' is not OpenSLO v1, Sloth or Pyrra");
  for (const auto& note : imported.notes) tell("note: " + spec::to_text(options.file, note));
  for (const auto& problem : imported.problems) tell(spec::to_text(options.file, problem));
  if (!imported.slos.empty()) print(import::to_spec(imported.slos, options.server));
  return imported.problems.empty() ? exit_ok : exit_usage;
}

}  // namespace

void add_import(CLI::App& app, int& exit_code) {
  auto* command = app.add_subcommand("import", "an OpenSLO v1, Sloth or Pyrra file as the slos of an experiment");
  auto options = std::make_shared<Options>();
  command->add_option("file", options->file, "the SLO file, YAML")->required();
  command->add_option("--server", options->server, "the Prometheus server, where the file names none")->capture_default_str();
  command->add_flag("--strict", options->strict, "OpenSLO: by all its published rules; else what breaks one is only noted");
  command->footer(
      "Example:\n  arashi import checkout.openslo.yaml --server http://127.0.0.1:9090\n"
      "What can't be evaluated is refused by name; the others are printed. Exit code 0 when all could be read, 2 otherwise.");
  command->callback([options, &exit_code] {
    const auto done = import_it(*options);
    exit_code = done ? *done : complain("import", done.error());
  });
}

}  // namespace arashi::commands
