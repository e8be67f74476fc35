// Control groups that a test makes for itself.
#pragma once

#include "injector/host/cgroup.hpp"

#include <filesystem>
#include <string>

namespace arashi::testing {

// HIERARCHY/PREFIX-PID-N, or below another of ours; what is in it is killed and it is removed with the guard.
class Cgroup {
 public:
  explicit Cgroup(const std::string& hierarchy = "v2", const std::string& prefix = "arashitest");
  Cgroup(const Cgroup& parent, const std::string& name);
  ~Cgroup();
  Cgroup& operator=(const Cgroup&) = delete;

  [[nodiscard]] const std::filesystem::path& path() const { return path_; }
  [[nodiscard]] std::string below_root() const { return path_.lexically_relative(root_).string(); }  // as a selector names it

 private:
  std::filesystem::path root_, path_;
};

}  // namespace arashi::testing
