// The test pieces themselves: what they claim to see, they see.
#include "tests/support/cgroups.hpp"
#include "tests/support/namespaces.hpp"
#include "tests/support/snapshot.hpp"

#include <doctest/doctest.h>

#include <csignal>
#include <fstream>

using namespace arashi;
using namespace arashi::testing;

TEST_CASE("a pair of namespaces reaches itself over IPv4 and IPv6 and is gone with its guard") {
  std::filesystem::path path;
  {
    const Pair pair;
    path = pair.left.path();
    CHECK(pair.left.run({"ping", "-c1", "-W2", Pair::right_v4}).exit_code == 0);
    CHECK(pair.left.run({"ping", "-c1", "-W2", Pair::right_v6}).exit_code == 0);
    CHECK(pair.left.run({"ping", "-c1", "-W1", "10.99.0.77"}).exit_code != 0);
  }
  CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE("a snapshot shows a qdisc, a rule, a file, a frozen cgroup and a stopped process, and nothing when nothing changed") {
  const Pair pair;
  const Directory directory;
  const Cgroup cgroup;
  const auto child = sleeper({}, {cgroup.path()});
  const Scope scope{.netns = {pair.left.name()},
                    .directories = {directory.path()},
                    .cgroups = {cgroup.path()},
                    .processes = {child.pid()},
                    .ids = {"none"}};
  const auto before = take(scope);
  REQUIRE(difference(before, take(scope)).empty());

  const auto seen = [&](const std::string& sign) { return difference(before, take(scope)).find(sign) != std::string::npos; };
  REQUIRE(pair.left.run({"tc", "qdisc", "add", "dev", "eth0", "clsact"}).exit_code == 0);
  CHECK(seen("qdiscs: + qdisc clsact"));
  REQUIRE(pair.left.run({"nft", "add", "table", "ip", "left_behind"}).exit_code == 0);
  CHECK(seen("nft: + table ip left_behind"));
  std::ofstream(directory.path() / "file") << "text";
  CHECK(seen("files: + " + directory.path().string() + "/file size 4"));
  REQUIRE(freeze(cgroup.path(), std::chrono::seconds(2)));
  CHECK(seen("cgroups: + " + cgroup.path().string() + " frozen"));
  REQUIRE(thaw(cgroup.path()));
  child.signal(SIGSTOP);
  CHECK(eventually([&] { return seen("processes: + " + std::to_string(child.pid()) + " stopped"); }));
}
