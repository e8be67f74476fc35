// An injector as the agent has it, in directories of its own, with this test binary as the program of its workers.
#pragma once

#include "injector/host/worker.hpp"
#include "injector/injector.hpp"
#include "injector/target.hpp"
#include "tests/support/namespaces.hpp"

#include <memory>
#include <string>

namespace arashi::testing {

class Machine {
 public:
  explicit Machine(const std::filesystem::path& directory);
  ~Machine();
  Machine(const Machine&) = delete;
  Machine& operator=(const Machine&) = delete;
  [[nodiscard]] Injector& injector() { return *injector_; }
  [[nodiscard]] const Host& host() const { return host_; }

 private:
  Host host_;
  std::unique_ptr<Workers> workers_;
  std::unique_ptr<Injector> injector_;
};

// Without workers: as `plan` and `recover` see the machine.
Host host_in(const std::filesystem::path& directory);

// The only match; fails the test when there is none or more.
Victim the_victim(const Host& host, const Selector& selector);

// A request with a new id, canonical from what a spec would give; fails the test when that is wrong.
Request request(const std::string& fault, const Victim& victim, const Json& given, Duration duration = std::chrono::seconds(60));

}  // namespace arashi::testing
