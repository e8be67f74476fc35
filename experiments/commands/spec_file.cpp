#include "experiments/commands/spec_file.hpp"

#include "experiments/fleet/fleet.hpp"

#include <filesystem>

namespace arashi::commands {

SpecFile load_spec(const std::string& file, const std::vector<protocol::FaultText>& faults) {
  SpecFile loaded{.name = file, .experiment = {}, .unreadable = {}, .problems = {}};
  auto text = spec::read_spec(file);
  if (!text) {
    loaded.unreadable = text.error().message;
    return loaded;
  }
  auto parsed = spec::parse(*text, faults);
  loaded.experiment = std::move(parsed.experiment);
  loaded.problems = std::move(parsed.problems);
  std::error_code none;
  loaded.experiment.directory = std::filesystem::absolute(file, none).parent_path().string();
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
