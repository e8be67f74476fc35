// `arashi`: the command line. The subcommands add themselves.
#include "experiments/commands/commands.hpp"

#include <CLI/CLI.hpp>

#include <csignal>

namespace {

using Add = void (*)(CLI::App&, int&);
constexpr Add subcommands[] = {
    arashi::commands::add_check,
    arashi::commands::add_plan,
    arashi::commands::add_halt,
    arashi::commands::add_status,
    arashi::commands::add_report,
    arashi::commands::add_run,
    arashi::commands::add_faults,
    arashi::commands::add_doctor,
    arashi::commands::add_schema,
    arashi::commands::add_pki,
    arashi::commands::add_completion,
};

}  // namespace

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);  // a reader that went away is seen by the write, not by our death
  CLI::App app{"Breaks a platform on purpose, in a controlled way, and always puts it back.", "arashi"};
  app.set_version_flag("--version", "arashi " ARASHI_VERSION);
  app.require_subcommand(1);
  app.footer(
      "Start here:\n  arashi doctor                 what this machine can do\n  arashi check experiment.yaml  is it well written?\n"
      "  arashi plan experiment.yaml   what would happen, exactly\n  arashi run experiment.yaml    do it");
  int exit_code = arashi::commands::exit_ok;
  for (const Add add : subcommands) add(app, exit_code);
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
