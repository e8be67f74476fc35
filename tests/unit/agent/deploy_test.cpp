// What is installed beside the programs is read by them, so the tests read it too.
#include "agent/policy.hpp"

#include <doctest/doctest.h>
#include <test_paths.hpp>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

using namespace arashi;

namespace {

const std::filesystem::path deploy = std::filesystem::path(SOURCE_DIR) / "agent/deploy";

std::string text_of(const std::filesystem::path& path) {
  std::ifstream file(path);
  REQUIRE_MESSAGE(file.is_open(), path.string());
  return {std::istreambuf_iterator<char>(file), {}};
}

}  // namespace

TEST_CASE("the policy file that is installed says what the defaults are") {
  const auto policy = parse_policy(text_of(deploy / "agent.yaml"), "agent.yaml");
  REQUIRE_MESSAGE(policy.has_value(), policy.error().message);
  const Policy defaults;
  CHECK(policy->allowed_faults == defaults.allowed_faults);
  CHECK(policy->denied_faults == defaults.denied_faults);
  CHECK(policy->protected_units == defaults.protected_units);
  CHECK(policy->protected_processes == defaults.protected_processes);
  CHECK(policy->longest_lease == defaults.longest_lease);
  CHECK(policy->longest_duration == defaults.longest_duration);
  CHECK(policy->most_injections == defaults.most_injections);
}

TEST_CASE("each commented line of the installed policy file would be accepted, too") {
  std::istringstream lines(text_of(deploy / "agent.yaml"));
  int tried = 0;
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with("# protected")) continue;
    ++tried;
    const auto policy = parse_policy(line.substr(2) + "\n", "agent.yaml");
    CHECK_MESSAGE(policy.has_value(), line);
  }
  CHECK(tried == 4);
}

TEST_CASE("the systemd unit recovers after every stop and keeps the journal over a restart") {
  const auto unit = text_of(deploy / "arashi-agent.service");
  for (const auto* line : {"\nExecStopPost=arashi-agent recover\n", "\nRestart=always\n", "\nRuntimeDirectory=arashi\n",
                           "\nRuntimeDirectoryPreserve=yes\n", "\nStateDirectory=arashi\n", "\nStartLimitIntervalSec=0\n"})
    CHECK_MESSAGE(unit.find(line) != std::string::npos, line);
  // Each would give it a mount namespace in which namespaces made later are not seen.
  for (const auto* word : {"\nProtectSystem=", "\nPrivateTmp=", "\nPrivateMounts=", "\nProtectHome=", "\nRestrictNamespaces="})
    CHECK_MESSAGE(unit.find(word) == std::string::npos, word);
}
