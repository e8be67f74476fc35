// The scripts a newcomer meets first.
#include "tests/system/demo_platform.hpp"

#include <fcntl.h>
#include <sys/file.h>

#include <doctest/doctest.h>
#include <test_paths.hpp>

namespace arashi::testing {

namespace {

const std::string preset = std::filesystem::path(BIN_DIR).parent_path().filename();

struct Turn {  // the demo exists once per machine
  Fd lock{::open(demo_lock, O_CREAT | O_RDWR | O_CLOEXEC, 0600)};
  Turn() { REQUIRE(::flock(lock.get(), LOCK_EX) == 0); }
};

}  // namespace

TEST_CASE("setting up twice installs nothing the second time") {
  for (const char* what : {"run", "test"}) {
    const Ran ran = run({example("setup.sh"), what}, std::chrono::seconds(30));
    CHECK(ran.exit_code == 0);
    CHECK(ran.output == "");
  }
  CHECK(run({example("setup.sh")}).exit_code == 2);
}

TEST_CASE("the quickstart, run again, neither installs nor builds, and leaves the machine without the demo") {
  const Turn turn;
  const Ran ran = run({"env", "ARASHI_PRESET=" + preset, example("quickstart.sh")}, std::chrono::seconds(110));
  INFO(ran.output);
  CHECK(ran.exit_code == 0);
  CHECK(ran.output.find("setup: installing") == std::string::npos);
  CHECK(ran.output.find("no work to do") != std::string::npos);
  CHECK(ran.output.find("the money is right") != std::string::npos);
  CHECK(ran.output.find("report.html") != std::string::npos);
  CHECK(demo("status").exit_code == 1);
  CHECK(!std::filesystem::exists(pod("gateway")));
}

TEST_CASE("the quickstart names a file that is not there") {
  const Ran ran = run({example("quickstart.sh"), "nowhere.yaml"});
  CHECK(ran.exit_code == 2);
  CHECK(ran.output.find("nowhere.yaml") != std::string::npos);
}

}  // namespace arashi::testing
