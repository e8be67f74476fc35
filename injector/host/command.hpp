// Child processes: the one door through which they are started and ended. Never a shell; every child leads its own process group.
#pragma once

#include "injector/core/fd.hpp"
#include "injector/core/result.hpp"
#include "injector/core/units.hpp"

#include <csignal>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace arashi {

struct Launch {
  std::vector<std::string> argv;               // argv[0] without a slash is looked up in PATH
  std::map<std::string, std::string> env;      // added to our own environment
  std::filesystem::path directory;             // working directory; empty: ours
  std::vector<std::filesystem::path> cgroups;  // directories the child is in before it runs its program
  std::filesystem::path netns;                 // network namespace file to enter before; empty: ours
  bool dies_with_starter = false;              // parent-death signal; follows the *thread* that calls start()
  int death_signal = SIGKILL;                  // which one
  std::vector<int> inherited;                  // descriptors it keeps, under their numbers
  bool piped_input = false;                    // else standard input is /dev/null
  bool piped_output = true;                    // standard output through output(); else ours
  bool piped_errors = true;                    // standard error through errors(); else ours
  bool errors_into_output = false;             // 2>&1
};

class Child {
 public:
  // Returns once the program runs; a program that cannot be started is an error here and not an exit code.
  static Result<Child> start(const Launch& launch);

  Child(Child&& other) noexcept = default;
  Child& operator=(Child&& other) noexcept;
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;
  ~Child() { end(); }

  [[nodiscard]] std::int32_t pid() const { return pid_; }
  [[nodiscard]] int pidfd() const { return pidfd_.get(); }  // readable once it has exited
  Fd& input() { return input_; }                            // reset() it to give the child an end of file
  [[nodiscard]] int output() const { return output_.get(); }
  [[nodiscard]] int errors() const { return errors_.get(); }

  // The exit code once it has exited, 128 + N when signal N ended it; nothing if it still runs at `deadline` (boot_now's clock; absent:
  // waits for ever). Reaps; the answer stays the same afterwards.
  std::optional<int> wait(std::optional<Duration> deadline);
  // To the child alone, by its pidfd: never hits a successor of the same number.
  void signal(int number) const;
  // SIGKILL to its process group and reap.
  void end();

 private:
  Child() = default;
  std::int32_t pid_ = 0;
  Fd pidfd_, input_, output_, errors_;
  std::optional<int> exit_code_;
};

struct Outcome {
  int exit_code = 0;  // 128 + signal
  bool timed_out = false;
  std::string output;     // standard output and error in the order written, at most the limit: its head
  std::uint64_t cut = 0;  // bytes beyond
  Duration took{};
};

// Runs to the end or to the timeout, at which the process group and everything in launch.cgroups is killed. Another thread ends it early by
// killing its cgroup.
Result<Outcome> run_command(Launch launch, Duration timeout, std::size_t output_limit);

}  // namespace arashi
