// The mechanism of faults that are a value written into a file: tried on a real cgroup, whose limit of descendants is written.
#include "injector/value_fault.hpp"
#include "injector/core/id.hpp"
#include "tests/support/cgroups.hpp"
#include "tests/support/machine.hpp"

#include <doctest/doctest.h>

#include <array>
#include <fstream>

using namespace arashi;
using namespace arashi::testing;

namespace {

struct Change {
  std::string id;
  std::vector<WrittenValue> values;
  static constexpr auto keys = std::tuple(key("id", &Change::id), key("values", &Change::values));
};

Result<Prepared<Change>> prepare(const Host& /*host*/, const Request& request) {
  Prepared<Change> prepared;
  prepared.change.id = request.id;
  prepared.change.values.push_back(TRY(note_value(request.victim.cgroup_path + "/cgroup.max.descendants", "0")));
  return prepared;
}

Result<Evidence> look(const Host& /*host*/, const Change& change) {
  std::error_code refused;
  std::filesystem::create_directory(change.values.front().file.parent_path() / "child", refused);
  return Evidence{.bit = static_cast<bool>(refused), .seen = 1, .affected = refused ? 1ULL : 0ULL, .values = {}, .detail = {}};
}

constexpr std::array scopes{Scope::cgroup};
const Fault no_children =
    make_value_fault<prepare, look>({.name = "test.no-children", .summary = "no cgroup can be made below", .params = {}, .scopes = scopes});

std::string limit_of(const Cgroup& cgroup) {
  std::string line;
  std::ifstream file(cgroup.path() / "cgroup.max.descendants");
  std::getline(file, line);
  return line;
}

void set_limit(const Cgroup& cgroup, const char* text) { std::ofstream(cgroup.path() / "cgroup.max.descendants") << text; }

PreparedRecord prepared_on(const Host& host, const Cgroup& cgroup) {
  const Request asked{.id = new_id(), .experiment = "test", .victim = the_victim(host, {"cgroup", {{"path", cgroup.below_root()}}})};
  auto prepared = no_children.prepare(host, asked);
  if (!prepared) FAIL(prepared.error().message);
  return std::move(prepared).value();
}

}  // namespace

TEST_CASE("a value fault: written, seen, put back, twice, and its record is strict") {
  const Directory directory;
  const auto host = host_in(directory.path());
  const Cgroup cgroup("v2", "arashivalue");
  const auto prepared = prepared_on(host, cgroup);
  CHECK(no_children.revert(host, prepared.change).has_value());
  CHECK(limit_of(cgroup) == "max");
  const auto applied = no_children.apply(host, prepared.change);
  REQUIRE_MESSAGE(applied.has_value(), applied.error().message);
  CHECK(applied->in_place);
  CHECK(applied->bit);
  CHECK(limit_of(cgroup) == "0");
  for (int time = 0; time < 2; ++time) CHECK(no_children.revert(host, prepared.change).has_value());
  CHECK(limit_of(cgroup) == "max");
  auto broken = prepared.change;
  broken["values"][0].erase("before");
  CHECK(no_children.readable(broken).error().message == "key 'change.values[0].before' is missing");
  CHECK_FALSE(no_children.apply(host, broken).has_value());
  CHECK(limit_of(cgroup) == "max");
}

TEST_CASE("a value fault: what somebody else wrote meanwhile is seen, stays, and is told as drifted") {
  const Directory directory;
  const auto host = host_in(directory.path());
  const Cgroup cgroup("v2", "arashivalue");
  const auto prepared = prepared_on(host, cgroup);
  REQUIRE(no_children.apply(host, prepared.change).has_value());
  set_limit(cgroup, "7");
  const auto seen = no_children.observe(host, prepared.change);
  REQUIRE(seen.has_value());
  CHECK_FALSE(seen->in_place);
  const auto reverted = no_children.revert(host, prepared.change);
  REQUIRE_FALSE(reverted.has_value());
  CHECK(reverted.error().code == Code::drifted);
  CHECK(limit_of(cgroup) == "7");
  std::filesystem::remove(cgroup.path() / "child");
}
