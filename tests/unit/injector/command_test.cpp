#include "injector/host/command.hpp"
#include "tests/support/child.hpp"
#include "tests/support/namespaces.hpp"

#include <doctest/doctest.h>

#include <csignal>
#include <thread>

using namespace arashi;
using namespace arashi::testing;
using namespace std::chrono_literals;

namespace {

Outcome must(const Launch& launch, Duration timeout = 10s, std::size_t limit = 4096) {
  auto outcome = run_command(launch, timeout, limit);
  if (!outcome) FAIL(outcome.error().message);
  return std::move(outcome).value();
}

}  // namespace

TEST_CASE("a command gives its exit code and what it said, both streams in order") {
  const auto outcome = must({.argv = {"bash", "-c", "echo one; echo two >&2; echo three; exit 7"}});
  CHECK(outcome.exit_code == 7);
  CHECK(outcome.output == "one\ntwo\nthree\n");
  CHECK(outcome.cut == 0);
  CHECK_FALSE(outcome.timed_out);
}

TEST_CASE("arguments reach the program as they are, without a shell") {
  CHECK(must({.argv = {"printf", "%s|", "a b", "$HOME", "", "*", "'\""}}).output == "a b|$HOME||*|'\"|");
}

TEST_CASE("a command has the environment, directory and descriptors it was given, and no others") {
  const Directory directory;
  CHECK(must({.argv = {"bash", "-c", "echo $ARASHI_X"}, .env = {{"ARASHI_X", "a value"}}}).output == "a value\n");
  CHECK(must({.argv = {"pwd"}, .directory = directory.path()}).output == directory.path().string() + "\n");
  const int leak = ::dup(0);  // without O_CLOEXEC
  CHECK(must({.argv = {"bash", "-c", "echo /proc/self/fd/*"}}).output ==
        "/proc/self/fd/0 /proc/self/fd/1 /proc/self/fd/2 /proc/self/fd/3\n");
  ::close(leak);
  CHECK(must({.argv = {"cat"}}).output.empty());  // standard input is at its end
}

TEST_CASE("output beyond the limit is counted and not kept") {
  const auto outcome = must({.argv = {"bash", "-c", "head -c 100000 /dev/zero | tr '\\0' x"}}, 10s, 1000);
  CHECK(outcome.output == std::string(1000, 'x'));
  CHECK(outcome.cut == 99'000);
}

TEST_CASE("a timeout ends the command and what it started, even one that writes without end") {
  const auto quiet = must({.argv = {"bash", "-c", "sleep 100 & echo $!; wait"}}, 300ms);
  CHECK(quiet.timed_out);
  CHECK(quiet.exit_code == 128 + SIGKILL);
  const auto grandchild = std::stoi(quiet.output);
  CHECK(eventually([&] { return process_state(grandchild) == '\0' || process_state(grandchild) == 'Z'; }));
  const auto loud = must({.argv = {"yes"}}, 300ms);
  CHECK(loud.timed_out);
  CHECK(loud.output.size() == 4096);
  CHECK(loud.cut > 0);
}

TEST_CASE("a grandchild that keeps the pipe open does not hold the caller") {
  const auto started = boot_now();
  const auto outcome = must({.argv = {"bash", "-c", "sleep 30 & echo done"}});
  CHECK(outcome.output == "done\n");
  CHECK(boot_now() - started < 20s);
}

TEST_CASE("what cannot be started is an error that names it") {
  const Directory directory;
  CHECK(run_command({.argv = {}}, 1s, 10).error().blame == Blame::input);
  CHECK(run_command({.argv = {"no-such-program-at-all"}}, 1s, 10).error().message.find("no-such-program-at-all") != std::string::npos);
  CHECK(run_command({.argv = {directory.path().string()}}, 1s, 10).error().blame == Blame::input);
  CHECK(run_command({.argv = {"true"}, .directory = "/no/such/directory"}, 1s, 10).error().blame == Blame::missing);
  CHECK(run_command({.argv = {"true"}, .netns = "/etc/hostname"}, 1s, 10).error().message.find("network namespace") != std::string::npos);
}

TEST_CASE("a child may die with the thread that started it") {
  std::optional<Child> child;
  std::thread([&] { child.emplace(Child::start({.argv = {"sleep", "100"}, .dies_with_starter = true}).value()); }).join();
  CHECK(child->wait(boot_now() + 5s) == 128 + SIGKILL);
}

TEST_CASE("a child gets the end of its input when that is closed, and has default signals") {
  for (const int number : {SIGPIPE, SIGINT, SIGQUIT, SIGHUP}) ::signal(number, SIG_IGN);  // the shell's `&` and nohup do the like
  auto child = Child::start({.argv = {"bash", "-c", "trap -p; cat"}, .piped_input = true}).value();
  REQUIRE(::write(child.input().get(), "text", 4) == 4);
  CHECK_FALSE(child.wait(boot_now() + 50ms).has_value());
  child.input().reset();
  CHECK(child.wait(boot_now() + 5s) == 0);
  CHECK(read_all(child) == "text");
}
