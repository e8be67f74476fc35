// `arashi schema`: JSON Schemas for editors and programs.
#include "experiments/spec/schema.hpp"

#include "experiments/commands/commands.hpp"
#include "experiments/engine/spec_file.hpp"
#include "experiments/report/report.hpp"
#include "injector/core/json.hpp"

#include <CLI/CLI.hpp>

#include <memory>

namespace arashi::commands {

void add_schema(CLI::App& app, int& exit_code) {
  auto* command = app.add_subcommand("schema", "JSON Schema of a spec, or of a run's result.json");
  auto what = std::make_shared<std::string>("experiment");
  command->add_option("what", *what, "experiment or result")->capture_default_str()->check(CLI::IsMember({"experiment", "result"}));
  command->footer(
      "Example:\n  arashi schema > arashi.schema.json\n"
      "and in the first line of a spec, for editors:  # yaml-language-server: $schema=arashi.schema.json");
  command->callback([what, &exit_code] {
    if (*what == "result") return print_json(report::result_schema());
    const auto faults = engine::local_catalogue();
    if (!faults) {
      exit_code = complain("schema", faults.error());
      return;
    }
    print_json(spec::schema(*faults));
  });
}

}  // namespace arashi::commands
