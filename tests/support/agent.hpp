// A real arashi-agent in a directory of its own, spoken to over its unix socket as a runner would.
#pragma once

#include "agent/protocol/protocol.hpp"
#include "tests/support/child.hpp"
#include "tests/support/namespaces.hpp"

#include <optional>
#include <string>
#include <vector>

namespace arashi::testing {

class Agent {
 public:
  // Starts it and waits until it is ready. `more` are options; embedded unless told otherwise.
  enum class Life { embedded, on_its_own };
  explicit Agent(std::vector<std::string> more = {}, Life life = Life::embedded);
  ~Agent();
  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;

  // Again in the same directory, after it has ended.
  void start();
  // The end of its standard input; its exit code.
  int end();
  [[nodiscard]] std::filesystem::path run_dir() const { return directory_.path() / "run"; }
  [[nodiscard]] std::filesystem::path socket() const { return directory_.path() / "run" / "agent.sock"; }
  [[nodiscard]] const std::string& ready_line() const { return ready_; }
  Child& supervisor() { return *child_; }

  // Its processes now; 0 when there is none.
  [[nodiscard]] std::int32_t supervisor_pid() const { return child_ ? child_->pid() : 0; }
  [[nodiscard]] std::int32_t injector_pid() const;
  [[nodiscard]] std::int32_t api_pid() const;
  [[nodiscard]] std::vector<std::int32_t> pids() const;

  struct Reply {
    int status = 0;  // 0: no answer
    std::string body;
  };
  [[nodiscard]] Reply ask(const std::string& method, const std::string& path, const std::string& body = "",
                          Duration patience = std::chrono::seconds(20)) const;
  [[nodiscard]] bool answers() const { return ask("GET", "/healthz", "", std::chrono::seconds(1)).status == 200; }
  Reply lease(const std::string& experiment, Duration ttl) const;
  Reply inject(const std::string& experiment, const std::string& id, const std::string& fault, const Selector& target,
               const std::string& params) const;
  Reply halt(const std::string& experiment) const;
  [[nodiscard]] std::size_t live() const;  // injections that are not over

 private:
  Directory directory_;
  std::vector<std::string> command_;
  std::optional<Child> child_;
  std::string ready_;
};

}  // namespace arashi::testing
