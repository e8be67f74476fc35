// `arashi faults`: what can be injected, and with which parameters; from the same declarations that check them.
#include "experiments/commands/commands.hpp"
#include "experiments/engine/spec_file.hpp"
#include "experiments/plan/text.hpp"
#include "injector/core/json.hpp"
#include "injector/core/suggest.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <cmath>
#include <memory>

namespace arashi::commands {
namespace {

struct Options {
  std::string name;
  bool json = false;
};

std::string joined(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : ", ") + word;
  return text;
}

std::string padded(std::string text, std::size_t columns) {
  text.resize(std::max(text.size(), columns), ' ');
  return text;
}

std::string bound(const ParamText& param, double value) {
  if (param.type == "duration") return to_text(Duration{std::llround(value)});
  if (param.type == "percent") return to_text(Percent{value});
  if (param.type == "bytes") return to_text(Bytes{static_cast<std::uint64_t>(value)});
  if (param.type == "rate") return to_text(Rate{value});
  if (param.type == "bandwidth") return to_text(Bandwidth{static_cast<std::uint64_t>(value)});
  return std::to_string(std::llround(value));
}

std::string param_text(const ParamText& param) {
  std::string facts = param.summary;
  if (!param.choices.empty()) facts += "; one of " + joined(param.choices);
  if (param.least) facts += "; at least " + bound(param, *param.least);
  if (param.most) facts += "; at most " + bound(param, *param.most);
  if (param.required) facts += "; required";
  if (!param.fallback.empty()) facts += "; " + param.fallback + " unless given";
  const std::string example = param.example.empty() ? "" : "      e.g. " + param.name + ": " + param.example + "\n";
  return plan::wrapped("    " + padded(param.name, 14) + " " + padded(param.type, 9) + " ", facts, 29) + example;
}

std::string fault_text(const protocol::FaultText& fault) {
  std::string text = plan::wrapped(fault.name + "\n  ", fault.summary, 2) + "  on: " + joined(fault.target_kinds) + "\n";
  if (!fault.reversible) text += "  It cannot be reverted.\n";
  if (!fault.params.empty()) text += "  with:\n";
  for (const auto& param : fault.params) text += param_text(param);
  return text;
}

std::string table(const std::vector<protocol::FaultText>& faults) {
  std::string text;
  for (const auto& fault : faults) text += plan::wrapped(padded(fault.name, 20) + " ", fault.summary, 21);
  return text + "\narashi faults NAME tells a fault's parameters and targets.\n";
}

Json json_of(const std::vector<protocol::FaultText>& faults) {
  Json list = Json::array();
  for (const auto& fault : faults) list.push_back(fault);
  return list;
}

Result<int> show(const Options& options) {
  const auto faults = TRY(engine::local_catalogue());
  if (options.name.empty()) {
    options.json ? print_json(json_of(faults)) : print(table(faults));
    return exit_ok;
  }
  const auto found = std::ranges::find(faults, options.name, &protocol::FaultText::name);
  if (found == faults.end()) {
    std::vector<std::string_view> known(faults.size());
    std::ranges::transform(faults, known.begin(), &protocol::FaultText::name);
    return fail(Blame::input, "there is no fault '", options.name, "'", suggestion(options.name, known));
  }
  options.json ? print_json(Json(*found)) : print(fault_text(*found));
  return exit_ok;
}

}  // namespace

void add_faults(CLI::App& app, int& exit_code) {
  auto* command = app.add_subcommand("faults", "what can be injected, and with which parameters");
  auto options = std::make_shared<Options>();
  command->add_option("name", options->name, "one fault: its targets and parameters");
  command->add_flag("--json", options->json, "as JSON");
  command->footer("Example:\n  arashi faults network.impair");
  command->callback([options, &exit_code] {
    const auto shown = show(*options);
    exit_code = shown ? *shown : complain("faults", shown.error());
  });
}

}  // namespace arashi::commands
