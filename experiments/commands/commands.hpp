// The subcommands of `arashi`. Each file adds its own to the command line; its callback does the work, prints, and sets the exit code.
#pragma once

#include "injector/core/json_fwd.hpp"
#include "injector/core/result.hpp"

#include <string>

namespace CLI {
class App;
}

namespace arashi::commands {

// DESIGN section 7; what a finished run adds is run::exit_code's.
inline constexpr int exit_ok = 0;
inline constexpr int exit_usage = 2;    // bad usage or spec
inline constexpr int exit_refused = 3;  // nothing was started

void add_run(CLI::App& app, int& exit_code);
void add_plan(CLI::App& app, int& exit_code);
void add_check(CLI::App& app, int& exit_code);
void add_backtest(CLI::App& app, int& exit_code);
void add_import(CLI::App& app, int& exit_code);
void add_halt(CLI::App& app, int& exit_code);
void add_status(CLI::App& app, int& exit_code);
void add_faults(CLI::App& app, int& exit_code);
void add_doctor(CLI::App& app, int& exit_code);
void add_report(CLI::App& app, int& exit_code);
void add_schema(CLI::App& app, int& exit_code);
void add_pki(CLI::App& app, int& exit_code);
void add_completion(CLI::App& app, int& exit_code);

// Prints "arashi COMMAND: message" to stderr and returns the exit code that fits the blame.
int complain(const std::string& command, const Error& error);
// To stdout. A reader that went away (`arashi faults | head`) is no error.
void print(const std::string& text);
void print_json(const Json& json);

}  // namespace arashi::commands
