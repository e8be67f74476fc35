// Runs a program to its end: checks of a spec, and the agent's own sub-commands.
#pragma once

#include "injector/core/result.hpp"
#include "injector/core/units.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace arashi::fleet {

struct Program {
  std::vector<std::string> command;  // argv; the first is looked up in PATH unless it has a slash
  std::filesystem::path directory;   // where it runs; empty: here
  std::string input = {};            // what it reads from stdin
  Duration timeout = std::chrono::seconds(10);
  std::size_t largest_output = std::size_t{64} << 10U;  // of stdout and stderr each; the rest is read and thrown away
};

struct Ended {
  int exit = 0;            // its exit status; 128 + N when signal N ended it
  bool timed_out = false;  // it was killed, with all it had started in its process group
  std::string output, errors;
};

// An error only when the program could not be started.
Result<Ended> run_program(const Program& program);

}  // namespace arashi::fleet
