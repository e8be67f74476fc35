// Completion scripts, made from the command line itself so that they cannot drift from it.
#include "experiments/commands/commands.hpp"

#include <CLI/CLI.hpp>

#include <map>
#include <string>
#include <vector>

namespace arashi::commands {
namespace {

// Subcommand → its options; "" → the subcommands. Positional arguments are file names in all commands but these few words.
using Words = std::map<std::string, std::string>;

std::string option_words(const CLI::App& app) {
  std::string words;
  for (const CLI::Option* option : app.get_options()) {
    for (const auto& name : option->get_lnames()) words += (words.empty() ? "--" : " --") + name;
  }
  return words;
}

Words words_of(const CLI::App& app) {
  Words words;
  std::string commands;
  for (const CLI::App* sub : app.get_subcommands([](const CLI::App*) { return true; })) {
    commands += (commands.empty() ? "" : " ") + sub->get_name();
    words[sub->get_name()] = option_words(*sub);
  }
  words[""] = commands;
  return words;
}

// Which fixed words a command takes beside its options; the others take files.
std::string fixed_words(const std::string& command) {
  if (command == "completion") return "bash zsh fish";
  if (command == "schema") return "experiment result";
  return {};
}

std::string bash_script(const Words& words) {
  std::string out =
      "# bash completion of arashi: source <(arashi completion bash)\n"
      "_arashi() {\n"
      "  local current=\"${COMP_WORDS[COMP_CWORD]}\" command=\"${COMP_WORDS[1]}\"\n"
      "  COMPREPLY=()\n"
      "  if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
      "    COMPREPLY=($(compgen -W \"" +
      words.at("") +
      " --help --version\" -- \"$current\")); return\n"
      "  fi\n"
      "  case \"$command\" in\n";
  for (const auto& [command, options] : words) {
    if (command.empty()) continue;
    const std::string fixed = fixed_words(command);
    out += "    " + command + ") COMPREPLY=($(compgen -W \"" + options + (fixed.empty() ? "" : " " + fixed) + "\" -- \"$current\")) ;;\n";
  }
  return out +
         "  esac\n"
         "  if [ \"${#COMPREPLY[@]}\" -eq 0 ]; then COMPREPLY=($(compgen -f -- \"$current\")); fi\n"
         "}\n"
         "complete -o filenames -F _arashi arashi\n";
}

std::string zsh_script(const Words& words) {
  std::string out =
      "#compdef arashi\n"
      "# zsh completion of arashi: source <(arashi completion zsh)\n"
      "_arashi() {\n"
      "  if (( CURRENT == 2 )); then compadd -- " +
      words.at("") +
      " --help --version; return; fi\n"
      "  case \"$words[2]\" in\n";
  for (const auto& [command, options] : words) {
    if (command.empty()) continue;
    out += "    " + command + ") compadd -- " + options + " " + fixed_words(command) + " ;;\n";
  }
  return out +
         "  esac\n"
         "  _files\n"
         "}\n"
         "(( $+functions[compdef] )) && compdef _arashi arashi\n";
}

std::string fish_script(const Words& words) {
  std::string out =
      "# fish completion of arashi: arashi completion fish | source\n"
      "complete -c arashi -n __fish_use_subcommand -f -a \"" +
      words.at("") + "\"\n";
  for (const auto& [command, options] : words) {
    const std::string here = "complete -c arashi -n \"__fish_seen_subcommand_from " + command + "\"";
    if (command.empty()) continue;
    for (std::size_t at = options.find("--"); at != std::string::npos; at = options.find("--", at + 2)) {
      const std::size_t end = options.find(' ', at);
      out += here + " -l " + options.substr(at + 2, end == std::string::npos ? end : end - at - 2) + "\n";
    }
    if (!fixed_words(command).empty()) out += here + " -f -a \"" + fixed_words(command) + "\"\n";
  }
  return out;
}

}  // namespace

void add_completion(CLI::App& app, int& exit_code) {
  CLI::App* command = app.add_subcommand("completion", "Print a completion script for a shell");
  auto shell = std::make_shared<std::string>();
  command->add_option("shell", *shell, "bash, zsh or fish")->required()->check(CLI::IsMember({"bash", "zsh", "fish"}));
  command->footer("Example: source <(arashi completion bash)");
  command->callback([&app, &exit_code, shell] {
    const Words words = words_of(app);
    print(*shell == "bash" ? bash_script(words) : *shell == "zsh" ? zsh_script(words) : fish_script(words));
    exit_code = exit_ok;
  });
}

}  // namespace arashi::commands
