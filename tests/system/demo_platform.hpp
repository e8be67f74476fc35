// The demo platform and the real `arashi` on it, as a user would run them; and eyes of other programs to look at what happens meanwhile.
#pragma once

#include "injector/core/json.hpp"
#include "tests/support/child.hpp"
#include "tests/support/namespaces.hpp"
#include "tests/support/remains.hpp"
#include "tests/support/snapshot.hpp"

#include <atomic>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace arashi::testing {

std::string example(const std::string& file);  // examples/FILE of this source tree
Ran demo(const std::string& verb);             // demo.sh VERB

// Started for a test and stopped with it. Only one can be on a machine: a second test waits for its turn.
class Platform {
 public:
  Platform();
  ~Platform();
  Platform(const Platform&) = delete;
  Platform& operator=(const Platform&) = delete;

  // Its namespaces, the host's end of it, and what faults would leave: to be compared before and after.
  [[nodiscard]] static Snapshot snapshot(const std::vector<std::string>& ids);

 private:
  Fd turn_;
};

std::filesystem::path pod(const std::string& name);                // its network namespace
std::vector<std::int32_t> pids_of_pod(const std::string& name);    // by its cgroup
std::optional<double> time_of_transfer(const std::string& where);  // seconds, by curl; nothing when it fails or takes over 3 s

std::optional<double> time_at_wallet(const std::string& url);  // the same past the gateway: with the key that a wallet wants

// One run of `arashi run` in a folder of its own.
class Run {
 public:
  explicit Run(std::vector<std::string> arguments);
  void signal(int number) const { child_.signal(number); }
  [[nodiscard]] std::int32_t pid() const { return child_.pid(); }
  // Of its local agent, where no other run or agent of this machine is in the way.
  [[nodiscard]] std::filesystem::path run_directory() const { return home_.path() / "run"; }
  int wait(Duration limit = std::chrono::seconds(100));                // exit code; then `output` and `result` are there
  const std::string marker = "ARASHI_TEST_RUN=" + unique_name("run");  // in the environment of all that it starts
  std::string output;
  Json result;                       // result.json; null when there is none
  std::filesystem::path folder;      // of the run
  std::vector<std::string> ids();    // of the injections
  std::vector<std::string> steps();  // what became of each

 private:
  Directory home_;
  Child child_;
  std::string taken_;
  std::jthread reader_;
};

// Asks something again and again, on a thread of its own, until it goes out of scope or is asked for what it saw.
template <class Seen>
class Watch {
 public:
  explicit Watch(std::function<Seen()> ask, Duration every = std::chrono::milliseconds(100))
      : thread_([this, ask = std::move(ask), every](const std::stop_token& stop) {
          while (!stop.stop_requested()) {
            Seen now = ask();
            {
              const std::lock_guard lock(mutex_);
              seen_.push_back(std::move(now));
            }
            std::this_thread::sleep_for(every);
          }
        }) {}

  std::vector<Seen> so_far() {
    const std::lock_guard lock(mutex_);
    return seen_;
  }
  std::vector<Seen> all() {
    thread_.request_stop();
    if (thread_.joinable()) thread_.join();
    return so_far();
  }

 private:
  std::mutex mutex_;
  std::vector<Seen> seen_;
  std::jthread thread_;  // last: it uses the others
};

}  // namespace arashi::testing
