#include "experiments/fleet/child.hpp"

#include "experiments/fleet/fleet.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

using namespace arashi;
using namespace arashi::fleet;

namespace {

struct Folder {
  std::filesystem::path path;
  Folder() {
    std::string name = "/tmp/arashi-child-XXXXXX";
    path = ::mkdtemp(name.data());
  }
  ~Folder() { std::filesystem::remove_all(path); }
};

std::filesystem::path script(const Folder& folder, const std::string& text) {
  auto file = folder.path / "arashi-agent";
  std::ofstream(file) << "#!/bin/sh\n" << text;
  std::filesystem::permissions(file, std::filesystem::perms::owner_all);
  return file;
}

bool runs(int pid) { return ::kill(pid, 0) == 0; }

}  // namespace

TEST_CASE("a program's exit status and both of its streams come back") {
  const auto ended = run_program({.command = {"sh", "-c", "echo out; echo err >&2; exit 7"}, .directory = {}});
  REQUIRE(ended);
  CHECK(ended->exit == 7);
  CHECK(ended->output == "out\n");
  CHECK(ended->errors == "err\n");
  CHECK_FALSE(ended->timed_out);
}

TEST_CASE("a program that a signal ended has 128 and the signal's number as its status") {
  const auto ended = run_program({.command = {"sh", "-c", "kill -TERM $$"}, .directory = {}});
  REQUIRE(ended);
  CHECK(ended->exit == 128 + SIGTERM);
}

TEST_CASE("a program that does not end in time is killed with all that it started") {
  const auto before = boot_now();
  const auto ended =
      run_program({.command = {"sh", "-c", "sleep 60 & echo $!; wait"}, .directory = {}, .timeout = std::chrono::milliseconds(200)});
  REQUIRE(ended);
  CHECK(ended->timed_out);
  CHECK(boot_now() - before < std::chrono::seconds(10));
  const int grandchild = std::stoi(ended->output);
  for (int i = 0; i < 100 && runs(grandchild); ++i) ::usleep(20'000);
  CHECK_FALSE(runs(grandchild));
}

TEST_CASE("a background process that holds the streams open is not waited for") {
  const auto before = boot_now();
  const auto ended = run_program({.command = {"sh", "-c", "sleep 60 & echo done"}, .directory = {}});
  REQUIRE(ended);
  CHECK(ended->output == "done\n");
  CHECK(boot_now() - before < std::chrono::seconds(5));
}

TEST_CASE("more output than the limit is read and thrown away") {
  const auto ended = run_program({.command = {"sh", "-c", "head -c 300000 /dev/zero; exit 3"}, .directory = {}, .largest_output = 1000});
  REQUIRE(ended);
  CHECK(ended->output.size() == 1000);
  CHECK(ended->exit == 3);
}

TEST_CASE("a program that is not there is an error that names it") {
  const auto ended = run_program({.command = {"no-such-program-here"}, .directory = {}});
  REQUIRE_FALSE(ended);
  CHECK(ended.error().message.find("no-such-program-here") != std::string::npos);
  CHECK_FALSE(run_program({.command = {"./not-here"}, .directory = "/tmp"}));
  CHECK_FALSE(run_program({}));
}

TEST_CASE("a program runs in the directory it is given") {
  const Folder folder;
  const auto ended = run_program({.command = {"pwd"}, .directory = folder.path});
  REQUIRE(ended);
  CHECK(ended->output == folder.path.string() + "\n");
}

TEST_CASE("an embedded agent that refuses to start: its own words are in the error") {
  const Folder folder;
  const auto binary = script(folder, "echo 'the journal is held by pid 4711' >&2\nexit 3\n");
  const auto embedded = Embedded::start(binary, folder.path / "run");
  REQUIRE_FALSE(embedded);
  CHECK(embedded.error().blame == Blame::refused);
  CHECK(embedded.error().message.find("held by pid 4711") != std::string::npos);
  CHECK(embedded.error().message.find("--agents") != std::string::npos);
}

TEST_CASE("an embedded agent ends when the run lets go of it") {
  const Folder folder;
  const auto ended = folder.path / "ended";
  const auto binary = script(folder, "echo \"ready $5\"\ncat >/dev/null\necho yes > " + ended.string() + "\n");
  {
    const auto embedded = Embedded::start(binary, folder.path / "run");
    REQUIRE(embedded);
    CHECK(embedded->address().name == "local");
    CHECK(embedded->address().unix_socket == (folder.path / "run" / "agent.sock").string());
    CHECK_FALSE(std::filesystem::exists(ended));
  }
  CHECK(std::filesystem::exists(ended));
}

TEST_CASE("agent addresses") {
  const auto socket = parse_address("unix:/run/arashi/agent.sock", "");
  REQUIRE(socket);
  CHECK(socket->unix_socket == "/run/arashi/agent.sock");
  const auto host = parse_address("10.0.0.3:7340", "/pki");
  REQUIRE(host);
  CHECK(host->url == "https://10.0.0.3:7340");
  CHECK(host->ca == "/pki/ca.pem");
  CHECK(parse_address("https://node-a/", "/pki")->url == "https://node-a:7340");
  CHECK(parse_address("[fd00::3]:99", "/pki")->url == "https://[fd00::3]:99");
  CHECK(parse_address("[fd00::3]", "/pki")->url == "https://[fd00::3]:7340");
  for (const char* wrong : {"", "unix:", "unix:agent.sock", "http://a:1", "a:0", "a:99999", "a:x", ":7340", "fd00::3", "a/b:1", "a b"})
    CHECK_MESSAGE(!parse_address(wrong, "/pki"), wrong);
  CHECK(parse_address("a:1", "").error().message.find("--pki") != std::string::npos);
}
