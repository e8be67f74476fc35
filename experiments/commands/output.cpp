#include "experiments/commands/commands.hpp"
#include "injector/core/json.hpp"

#include <cstdio>

namespace arashi::commands {

int complain(const std::string& command, const Error& error) {
  const std::string line = "arashi " + command + ": " + error.message + "\n";
  std::fputs(line.c_str(), stderr);
  return error.blame == Blame::input ? exit_usage : exit_refused;
}

void print(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

void print_json(const Json& json) { print(to_text(json, 2) + "\n"); }

}  // namespace arashi::commands
