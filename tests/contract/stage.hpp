// What a fault is tried on: a network namespace, a cgroup and a process in both, made by the test and gone with it.
#pragma once

#include "injector/fault.hpp"
#include "tests/support/cgroups.hpp"
#include "tests/support/machine.hpp"
#include "tests/support/snapshot.hpp"

#include <optional>
#include <string>
#include <vector>

namespace arashi::testing {

// One way to use a fault. A new fault is tried on each kind of target it takes (but node: that is the machine itself) with its examples as
// parameters; ways_of in stage.cpp says more about those that need more.
struct Way {
  const Fault* fault = nullptr;
  std::string kind;
  Json given;
  [[nodiscard]] std::string name() const;
};

class Stage {
 public:
  Stage();
  std::vector<Way> ways_of(const Fault& fault) const;

  // The victim of this kind, alive: a process that was killed is started again.
  Victim victim(const std::string& kind);
  // Makes all victims vanish.
  void clear();

  // All that a fault could leave on this stage; of a fault that ends its victims not the victims.
  Snapshot look(const Way& way, const std::string& id) const;
  // Runs a script in the target's network namespace; what it finds in its environment is told in drift.hpp.
  [[nodiscard]] Ran play(const std::string& script, const std::string& id, std::int32_t worker) const;
  [[nodiscard]] std::filesystem::path directory() const { return directory_.path(); }

 private:
  std::filesystem::path files() const { return directory_.path() / "files"; }
  Directory directory_;
  std::optional<Pair> pair_;
  std::optional<Cgroup> cgroup_;
  std::optional<Child> child_;
};

// What a list or another parameter's example means, as a spec would have it after YAML.
Json example_of(const Param& param);

}  // namespace arashi::testing
