#include "experiments/engine/spec_file.hpp"

#include "experiments/fleet/fleet.hpp"
#include "experiments/import/import.hpp"
#include "injector/core/json.hpp"

#include <algorithm>
#include <filesystem>

namespace arashi::engine {

namespace {

// FILE or FILE#SLO, relative to the folder of the spec.
Result<spec::ImportedSlo> read_slo(const std::filesystem::path& folder, const std::string& from) {
  const auto cut = from.find('#');
  const std::string file = from.substr(0, cut);
  const auto text = TRY(spec::read_spec((folder / file).string()));
  return import::pick(text, file, cut == std::string::npos ? "" : from.substr(cut + 1));
}

// What parameters cannot mean together the faults themselves know, and with them the agent's program. Where there is none here, the agents
// say it when they prepare.
void check_together(SpecFile& file) {
  const auto binary = fleet::find_agent_binary();
  std::vector<const spec::Step*> steps;
  std::vector<protocol::Ask> asked;
  for (const auto& step : file.experiment.timeline) {
    if (std::ranges::any_of(file.problems, [&](const auto& known) { return known.path.starts_with(step.path); })) continue;
    steps.push_back(&step);
    asked.push_back({.fault = step.fault, .params = *step.params});
  }
  if (!binary || asked.empty()) return;
  const auto problems = fleet::problems_of(*binary, asked);
  if (!problems) return;
  for (std::size_t i = 0; i < steps.size(); ++i)
    if (!(*problems)[i].empty())
      file.problems.push_back({.where = steps[i]->params_where, .path = steps[i]->path + ".with", .message = (*problems)[i]});
  std::sort(file.problems.begin(), file.problems.end());
}

SpecFile understand(const std::string& file, const Result<std::string>& text, const std::vector<protocol::FaultText>& faults) {
  SpecFile loaded{.name = file, .experiment = {}, .unreadable = {}, .problems = {}};
  if (!text) {
    loaded.unreadable = text.error().message;
    return loaded;
  }
  std::error_code none;
  const auto folder = std::filesystem::absolute(file, none).parent_path();
  auto parsed = spec::parse(
      *text, faults, [&](const std::string& from) { return read_slo(folder, from); },
      [&](const std::string& name) { return spec::read_load_file((folder / name).string()); });
  for (auto& load : parsed.experiment.loads)
    for (auto* pem : {&load.tls.ca, &load.tls.cert, &load.tls.key})
      if (!pem->empty()) *pem = (folder / *pem).string();
  loaded.experiment = std::move(parsed.experiment);
  loaded.problems = std::move(parsed.problems);
  loaded.experiment.directory = folder.string();
  check_together(loaded);
  return loaded;
}

}  // namespace

SpecFile load_spec(const std::string& file, const std::vector<protocol::FaultText>& faults) {
  return understand(file, spec::read_spec(file), faults);
}

Result<SpecFile> load_local_spec(const std::string& file) {
  const auto text = spec::read_spec(file);
  if (auto without = understand(file, text, {}); without.good()) return without;
  return understand(file, text, TRY(local_catalogue()));
}

std::string problem_lines(const SpecFile& file) {
  if (!file.unreadable.empty()) return file.unreadable + "\n";
  std::string lines;
  for (const auto& problem : file.problems) lines += spec::to_text(file.name, problem) + "\n";
  return lines;
}

Result<std::vector<protocol::FaultText>> local_catalogue() {
  const auto binary = TRY(fleet::find_agent_binary());
  return fleet::fault_catalogue(binary);
}

}  // namespace arashi::engine
