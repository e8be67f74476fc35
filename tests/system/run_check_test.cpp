// The examples are tests: each is well written, and each can be planned on the demo without touching anything. So is the README's.
#include "tests/system/demo_platform.hpp"

#include <doctest/doctest.h>
#include <test_paths.hpp>

#include <fstream>
#include <sstream>

namespace arashi::testing {

namespace fs = std::filesystem;

namespace {

std::vector<std::string> all_examples() {
  std::vector<std::string> found;
  for (const auto& entry : fs::directory_iterator(SOURCE_DIR "/examples"))
    if (entry.path().extension() == ".yaml") found.push_back(entry.path());
  return found;
}

std::string experiment_in_the_readme() {
  std::ifstream file(SOURCE_DIR "/README.md");
  std::string line, text;
  bool inside = false;
  while (std::getline(file, line)) {
    if (line == "```yaml")
      inside = true;
    else if (line == "```")
      inside = false;
    else if (inside)
      text += line + "\n";
  }
  return text;
}

}  // namespace

TEST_CASE("every example passes `arashi check`, the README's too") {
  const Directory folder;
  const fs::path readme = folder.path() / "readme.yaml";
  std::ofstream(readme) << experiment_in_the_readme();
  auto files = all_examples();
  REQUIRE(files.size() >= 9);
  files.push_back(readme);
  for (const auto& file : files) {
    const Ran ran = run({BIN_DIR "/arashi", "check", file});
    INFO(ran.output);
    CHECK(ran.exit_code == 0);
  }
}

TEST_CASE("every example can be planned, and a plan changes nothing") {
  const Platform platform;
  const Snapshot before = Platform::snapshot({});
  for (const auto& file : all_examples()) {
    const Ran ran = run({BIN_DIR "/arashi", "plan", file}, std::chrono::seconds(30));
    INFO(ran.output);
    CHECK(ran.exit_code == (file.ends_with("refused-limits.yaml") ? 3 : 0));
  }
  CHECK(difference(before, Platform::snapshot({})) == "");
}

TEST_CASE("a plan names the victims, the mechanism and the undo") {
  const Platform platform;
  const Ran ran = run({BIN_DIR "/arashi", "plan", "--json", example("held.yaml")}, std::chrono::seconds(30));
  INFO(ran.output);
  REQUIRE(ran.exit_code == 0);
  const Json plan = Json::parse(ran.output, nullptr, false);
  REQUIRE(plan.is_object());
  REQUIRE(plan["injections"].size() == 3);
  for (const auto& injection : plan["injections"]) {
    CHECK(injection["victim"]["label"].get<std::string>().find("arashi-demo-wallet-") != std::string::npos);
    for (const char* field : {"mechanism", "because", "undo"}) CHECK(injection[field].get<std::string>() != "");
  }
  CHECK(plan["worstCase"][0]["slo"] == "transfers");
}

}  // namespace arashi::testing
