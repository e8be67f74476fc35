// The test pieces themselves: what they claim to see, they see.
#include "tests/support/cgroups.hpp"
#include "tests/support/namespaces.hpp"
#include "tests/support/remains.hpp"
#include "tests/support/snapshot.hpp"

#include <doctest/doctest.h>

#include <unistd.h>
#include <csignal>
#include <fstream>
#include <iostream>
#include <sstream>

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
  const Extent scope{.netns = {pair.left.name()},
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

// Run by the next case, in a process of its own.
TEST_CASE("makes one of each, says which, and is killed" * doctest::skip()) {
  const Namespace netns;
  const Directory directory;
  const Cgroup cgroup;
  const auto child = sleeper();
  const auto held = sleeper({}, {cgroup.path()});
  const auto background = netns.run({"sh", "-c", "setsid sleep 600 </dev/null >/dev/null 2>&1 & echo $!"}).output;
  REQUIRE(process_state(std::stoi(background)) != '\0');
  std::ofstream(directory.path() / "file") << "text";
  std::cout << "made: " << netns.path().string() << ' ' << directory.path().string() << ' ' << cgroup.path().string() << ' ' << child.pid()
            << ' ' << held.pid() << ' ' << background << std::flush;
  ::raise(SIGKILL);
}

TEST_CASE("what a killed test process leaves is cleared away by the next one, and its children end with it") {
  const Namespace mine;
  const auto killed = run({"/proc/" + std::to_string(::getpid()) + "/exe", "--no-skip", "--test-case=makes one of each*"});
  INFO(killed.output);
  REQUIRE(killed.exit_code == 128 + SIGKILL);
  std::istringstream words(killed.output.substr(killed.output.find("made: ") + 6));
  std::filesystem::path netns;
  std::filesystem::path directory;
  std::filesystem::path cgroup;
  std::int32_t child = 0;
  std::int32_t held = 0;
  std::int32_t background = 0;
  words >> netns >> directory >> cgroup >> child >> held >> background;
  REQUIRE_FALSE(words.fail());
  const auto is_over = [](std::int32_t pid) { return process_state(pid) == '\0' || process_state(pid) == 'Z'; };
  CHECK(eventually([&] { return is_over(child) && is_over(held); }));
  clear_remains();
  CHECK(eventually([&] {  // another test process may be about it, having begun a moment ago
    return !std::filesystem::exists(netns) && !std::filesystem::exists(directory) && !std::filesystem::exists(cgroup) &&
           is_over(background);
  }));
  CHECK(std::filesystem::exists(mine.path()));
}
