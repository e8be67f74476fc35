// The demo platform by itself: a test bed that loses money or leaves something behind would prove nothing about Arashi.
#include "tests/system/demo_platform.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>
#include <set>

namespace arashi::testing {

namespace {

std::set<std::string> machine() {
  std::set<std::string> found;
  for (const auto& argv : std::vector<std::vector<std::string>>{{"ip", "-o", "link", "show", "type", "veth"},
                                                                {"ip", "netns", "list"},
                                                                {"find", "/sys/fs/cgroup", "-name", "*arashi-demo*"},
                                                                {"find", "/run", "-maxdepth", "1", "-name", "*arashi-demo*"},
                                                                {"pgrep", "--list-full", "--full", "arashi-demo"}}) {
    std::istringstream lines(run(argv).output);
    for (std::string line; std::getline(lines, line);)
      if (line.find("arashi-demo") != std::string::npos && line.find("pgrep") == std::string::npos) found.insert(line);
  }
  return found;
}

}  // namespace

TEST_CASE("the demo starts, moves money and leaves nothing behind") {
  {
    const Platform platform;
    CHECK(demo("status").exit_code == 0);
    CHECK(time_of_transfer("http://10.87.0.10/transfer"));
    CHECK(time_of_transfer("http://[fd61:7261:7368::10]/transfer"));
    CHECK(demo("start").output.find("already") != std::string::npos);
    CHECK(demo("sum").exit_code == 0);
    CHECK(!machine().empty());
  }
  CHECK(eventually([] { return machine().empty(); }));
}

TEST_CASE("the demo notices when money is missing") {
  const Platform platform;
  CHECK(run_in(pod("ledger"), {"redis-cli", "hincrby", "accounts", "7", "-1"}).exit_code == 0);
  const Ran sum = demo("sum");
  CHECK(sum.exit_code == 1);
  CHECK(sum.output.find("the money is wrong") != std::string::npos);
}

TEST_CASE("a transfer with the same key moves the money once") {
  const Platform platform;
  const auto balance = [] { return std::stoll(run_in(pod("ledger"), {"redis-cli", "hget", "accounts", "1"}).output); };
  const auto before = balance();  // not what was seeded: the demo warms up with transfers of its own
  for (int i = 0; i < 3; ++i)
    CHECK(run({"curl", "--silent", "--fail", "--noproxy", "*", "--header", "Idempotency-Key: once", "--data",
               R"({"from": 1, "to": 2, "amount": 5})", "http://10.87.0.10/transfer"})
              .exit_code == 0);
  CHECK(balance() == before - 5);
}

TEST_CASE("what dies in the demo is started again and no money is lost") {
  const Platform platform;
  Watch<std::optional<double>> transfers([] { return time_of_transfer("http://10.87.0.10/transfer"); }, std::chrono::milliseconds(10));
  for (const std::string name : {"wallet-1", "ledger", "gateway"}) {
    const auto before = pids_of_pod(name);
    REQUIRE(!before.empty());
    for (const auto pid : before) ::kill(pid, SIGKILL);
    CHECK(eventually(
        [&] {
          const auto now = pids_of_pod(name);
          return !now.empty() && now != before && demo("status").exit_code == 0;
        },
        std::chrono::seconds(10)));
  }
  const auto seen = transfers.all();
  CHECK(std::ranges::count_if(seen, [](const auto& took) { return took.has_value(); }) > 20);
  CHECK(demo("sum").exit_code == 0);
}

}  // namespace arashi::testing
