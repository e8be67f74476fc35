#include "experiments/commands/spec_file.hpp"

#include "experiments/fleet/fleet.hpp"
#include "experiments/import/import.hpp"

#include <filesystem>

namespace arashi::commands {

namespace {

// FILE or FILE#SLO, relative to the folder of the spec.
Result<spec::ImportedSlo> read_slo(const std::filesystem::path& folder, const std::string& from) {
  const auto cut = from.find('#');
  const std::string file = from.substr(0, cut);
  const auto text = TRY(spec::read_spec((folder / file).string()));
  return import::pick(text, file, cut == std::string::npos ? "" : from.substr(cut + 1));
}

}  // namespace

SpecFile load_spec(const std::string& file, const std::vector<protocol::FaultText>& faults) {
  SpecFile loaded{.name = file, .experiment = {}, .unreadable = {}, .problems = {}};
  auto text = spec::read_spec(file);
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
  return loaded;
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

}  // namespace arashi::commands
