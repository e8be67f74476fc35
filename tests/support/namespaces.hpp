// Network namespaces that a test makes for itself, and that are gone with their guards.
#pragma once

#include "tests/support/child.hpp"

#include <filesystem>
#include <string>

namespace arashi::testing {

// A name no other test process uses: PREFIX-PID-N.
std::string unique_name(const std::string& prefix);

// SIGKILL to every process in a network namespace: servers that went to the background would live on in there, and keep it.
void end_processes_in(const std::filesystem::path& netns);

// /run/netns/NAME, with its loopback up.
class Namespace {
 public:
  explicit Namespace(const std::string& prefix = "at");
  ~Namespace();
  Namespace(const Namespace&) = delete;
  Namespace& operator=(const Namespace&) = delete;

  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] std::filesystem::path path() const { return std::filesystem::path("/run/netns") / name_; }
  [[nodiscard]] std::uint64_t inode() const;
  Ran run(std::vector<std::string> argv, Duration limit = std::chrono::seconds(10)) const { return run_in(path(), std::move(argv), limit); }
  Child spawn(std::vector<std::string> argv) const { return testing::spawn({.argv = std::move(argv), .netns = path()}); }

 private:
  std::string name_;
};

// Two namespaces, each with one end ("eth0") of a veth pair: 10.99.0.1 and 10.99.0.2 (/24), fd99::1 and fd99::2 (/64), usable at once (no
// duplicate address detection) and no other traffic of their own.
class Pair {
 public:
  explicit Pair(const std::string& prefix = "at");
  Namespace left, right;
  static constexpr const char* device = "eth0";
  static constexpr const char* left_v4 = "10.99.0.1";
  static constexpr const char* right_v4 = "10.99.0.2";
  static constexpr const char* left_v6 = "fd99::1";
  static constexpr const char* right_v6 = "fd99::2";
};

// A directory of its own below /tmp (or another), removed with all in it.
class Directory {
 public:
  explicit Directory(const std::filesystem::path& below = "/tmp");
  ~Directory();
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace arashi::testing
