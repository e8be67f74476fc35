// `arashi plan`: who exactly would be hit, how, and at what cost at worst. Nothing is touched.
#include "experiments/plan/plan.hpp"

#include "experiments/commands/agent_options.hpp"
#include "experiments/commands/commands.hpp"
#include "experiments/engine/planning.hpp"
#include "experiments/engine/spec_file.hpp"
#include "experiments/plan/text.hpp"
#include "injector/core/json.hpp"

#include <CLI/CLI.hpp>

#include <cstdio>
#include <cstdlib>
#include <memory>

namespace arashi::commands {
namespace {

struct Options {
  std::string file;
  AgentChoice fleet;
  bool json = false;
};

// For the local agent that answers; gone with it.
class Folder {
 public:
  static Result<Folder> make() {
    const char* named = std::getenv("TMPDIR");
    const std::filesystem::path place = named == nullptr || *named == '\0' ? "/tmp" : named;
    std::string pattern = (place / "arashi-plan-XXXXXX").string();
    if (::mkdtemp(pattern.data()) == nullptr)
      return sys_fail("make a folder '", pattern, "' for the local agent (TMPDIR names another place)");
    return Folder(pattern);
  }
  ~Folder() {
    std::error_code none;
    if (!path_.empty()) std::filesystem::remove_all(path_, none);
  }
  Folder(Folder&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  Folder& operator=(Folder&&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  explicit Folder(std::filesystem::path path) : path_(std::move(path)) {}
  std::filesystem::path path_;
};

int show(const spec::Experiment& experiment, const plan::Plan& plan, const std::vector<protocol::FaultText>& faults, bool json) {
  if (json)
    print_json(plan::to_json(plan));
  else
    print(plan::to_text(experiment, plan, faults));
  return plan.refusals.empty() ? exit_ok : exit_refused;
}

Result<int> make_and_show(const Options& options) {
  const Folder folder = TRY(Folder::make());
  auto [file, fleet] = TRY(engine::brief(options.file, options.fleet, folder.path()));
  if (!file.good()) {
    std::fputs(engine::problem_lines(file).c_str(), stderr);
    return exit_usage;
  }
  TRY(spec::settle_windows(file.experiment, engine::wall_clock_seconds()));
  const auto plan = engine::make_plan(file.experiment, fleet.agents, engine::wall_clock_seconds(), engine::fresh_seed());
  return show(file.experiment, plan, fleet.faults, options.json);
}

}  // namespace

void add_plan(CLI::App& app, int& exit_code) {
  auto* command = app.add_subcommand("plan", "who exactly would be hit, how, and at what cost at worst; nothing is touched");
  auto options = std::make_shared<Options>();
  command->add_option("file", options->file, "the spec, YAML or JSON")->required();
  add_agent_options(*command, options->fleet, Local::started);
  command->add_flag("--json", options->json, "the plan as JSON");
  command->footer(
      "Example:\n  arashi plan examples/held.yaml\nExit code 0 when it could start now, 3 when it would be refused, 2 for a bad spec.");
  command->callback([options, &exit_code] {
    const auto shown = make_and_show(*options);
    exit_code = shown ? *shown : complain("plan", shown.error());
  });
}

}  // namespace arashi::commands
