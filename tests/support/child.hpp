// Programs that tests start: bounded in time and output, and ended with their guard.
#pragma once

#include "injector/host/command.hpp"

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace arashi::testing {

struct Ran {
  int exit_code = -1;  // 128 + signal; -1 when it could not be started (then `output` says why)
  std::string output;  // standard output and error together
};

// Runs to its end, at most `limit` (then it is killed and exit_code is 137).
Ran run(std::vector<std::string> argv, Duration limit = std::chrono::seconds(10));
// The same in a network namespace, given by its file (/run/netns/NAME or /proc/PID/ns/net).
Ran run_in(const std::filesystem::path& netns, std::vector<std::string> argv, Duration limit = std::chrono::seconds(10));

// A child that runs until the guard ends it, or the thread that calls this ends; fails the test when it can't be started.
Child spawn(Launch launch);
// A process that does nothing, for at most 10 minutes.
Child sleeper(const std::filesystem::path& netns = {}, std::vector<std::filesystem::path> cgroups = {});

// All that a child writes to its standard output until its end, at most `limit`.
std::string read_all(Child& child, Duration limit = std::chrono::seconds(10));
// The next line, without its newline; nothing at the end of the file or after `limit`.
std::optional<std::string> read_line(Child& child, Duration limit = std::chrono::seconds(10));

void pause_briefly();  // 5 ms

// Asks every 5 ms until it is true; false after `limit`. For effects that the kernel announces to no one.
template <class Question>
bool eventually(Question question, Duration limit = std::chrono::seconds(5)) {
  const auto deadline = boot_now() + limit;
  while (!question()) {
    if (boot_now() >= deadline) return question();
    pause_briefly();
  }
  return true;
}

// The letter of /proc/PID/stat ('R', 'S', 'T', 'Z', …); 0 when there is no such process.
char process_state(std::int32_t pid);

}  // namespace arashi::testing
