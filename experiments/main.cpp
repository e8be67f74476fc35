// `arashi`: the command line. The subcommands add themselves.
#include "experiments/commands/commands.hpp"
#include "injector/core/suggest.hpp"

#include <CLI/CLI.hpp>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <exception>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace {

constexpr std::array subcommands = {
    arashi::commands::add_check,      arashi::commands::add_plan,   arashi::commands::add_halt,   arashi::commands::add_status,
    arashi::commands::add_report,     arashi::commands::add_run,    arashi::commands::add_faults, arashi::commands::add_doctor,
    arashi::commands::add_backtest,   arashi::commands::add_import, arashi::commands::add_schema, arashi::commands::add_pki,
    arashi::commands::add_completion,
};

// CLI11 says of a mistyped command only that one is required.
bool is_unknown(const CLI::App& app, int argc, char** argv) {
  if (argc < 2 || argv[1][0] == '-') return false;
  const auto commands = app.get_subcommands([](const CLI::App*) { return true; });
  std::vector<std::string> names;
  names.reserve(commands.size());
  for (const auto* command : commands) names.push_back(command->get_name());
  const std::vector<std::string_view> known(names.begin(), names.end());
  if (std::find(known.begin(), known.end(), argv[1]) != known.end()) return false;
  std::fprintf(stderr, "arashi: there is no command '%s'%s\n", argv[1], arashi::suggestion(argv[1], known).c_str());
  return true;
}

std::string usage_error(const CLI::App* app, const CLI::Error& error) {
  std::string command = app->get_name();
  for (const auto* subcommand : app->get_subcommands()) command += " " + subcommand->get_name();
  return "arashi: " + std::string(error.what()) + "\nTry: " + command + " --help\n";
}

int run(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // a reader that went away is seen by the write, not by our death
  CLI::App app{"Breaks a platform on purpose, in a controlled way, and always reverts it.", "arashi"};
  app.set_version_flag("--version", "arashi " ARASHI_VERSION);
  app.require_subcommand(1);
  app.failure_message(usage_error);
  app.footer(
      "Start here:\n  arashi doctor                 what this machine can do\n  arashi check experiment.yaml  is it well written?\n"
      "  arashi plan experiment.yaml   what would happen, exactly\n  arashi run experiment.yaml    do it");
  int exit_code = arashi::commands::exit_ok;
  for (const auto add : subcommands) add(app, exit_code);
  if (is_unknown(std::as_const(app), argc, argv)) return arashi::commands::exit_usage;
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& help) {  // --help, --version
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    app.exit(error);
    return arashi::commands::exit_usage;
  }
  return exit_code;
}

}  // namespace

// The last catch. What a run has injected is reverted by its agents, whose leases end with it.
int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "arashi: unexpected failure: %s\n", error.what());
  } catch (...) {
    std::fputs("arashi: unexpected failure\n", stderr);
  }
  return arashi::commands::exit_refused;
}
