// process.pause where cgroup v2 stands alone at /sys/fs/cgroup, with no v1 hierarchy beside it.
#include "injector/target.hpp"
#include "tests/support/cgroups.hpp"
#include "tests/support/child.hpp"
#include "tests/support/network.hpp"

#include <doctest/doctest.h>

#include <chrono>
#include <fstream>
#include <string>

using namespace arashi;
using namespace arashi::testing;
using namespace std::chrono_literals;

namespace {

Victim the_cgroup(const Cgroup& cgroup) {
  const auto found = resolve({}, {"cgroup", {{"path", cgroup.below_root()}}});
  REQUIRE_MESSAGE(found.has_value(), found.error().message);
  REQUIRE(found->size() == 1);
  return found->front();
}

std::string first_line(const std::filesystem::path& file) {
  std::ifstream text(file);
  std::string line;
  std::getline(text, line);
  return line;
}

Child ticking(const Cgroup& cgroup) {
  auto child = spawn(
      {.argv = {"perl", "-e", R"($| = 1; while (1) { print "tick\n"; select(undef, undef, undef, 0.05) })"}, .cgroups = {cgroup.path()}});
  REQUIRE(read_line(child) == "tick");
  return child;
}

}  // namespace

TEST_CASE("cgroup v2 alone: a cgroup stands still by its freezer and goes on") {
  const Cgroup cgroup;
  CHECK(cgroup.path().parent_path() == "/sys/fs/cgroup");
  auto child = ticking(cgroup);
  const Host host;
  const test::Injected fault(host, "process.pause", the_cgroup(cgroup), Json::object());
  CHECK(fault.prepared.mechanism == "freezer v2");
  CHECK(fault.applied.in_place);
  CHECK(fault.applied.affected == 1);
  CHECK(first_line(cgroup.path() / "cgroup.freeze") == "1");
  while (read_line(child, 200ms)) {
  }
  CHECK_FALSE(read_line(child, 500ms).has_value());
  fault.revert();
  CHECK(first_line(cgroup.path() / "cgroup.freeze") == "0");
  CHECK(read_line(child, 5s) == "tick");
  fault.revert();
  CHECK(first_line(cgroup.path() / "cgroup.freeze") == "0");
}

TEST_CASE("cgroup v2 alone: what was frozen before is refused and stays frozen") {
  const Cgroup cgroup;
  const auto child = ticking(cgroup);
  REQUIRE(freeze(cgroup.path(), 2s).has_value());
  const auto& fault = *find_fault("process.pause");
  const Request request{.id = test::unique_id(),
                        .experiment = "test",
                        .victim = the_cgroup(cgroup),
                        .params = test::canonical(fault, Json::object()),
                        .duration = {}};
  const auto refused = fault.prepare({}, request);
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().blame == Blame::refused);
  CHECK(first_line(cgroup.path() / "cgroup.freeze") == "1");
}

TEST_CASE("cgroup v2 alone: a frozen cgroup is killed whole") {
  const Cgroup cgroup;
  auto child = ticking(cgroup);
  REQUIRE(freeze(cgroup.path(), 2s).has_value());
  const auto killed = kill_cgroup(cgroup.path());
  REQUIRE_MESSAGE(killed.has_value(), killed.error().message);
  CHECK(child.wait(boot_now() + 5s) == 128 + 9);
}
