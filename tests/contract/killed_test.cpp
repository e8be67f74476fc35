// SIGKILL inside inject, at system call after system call: what the journal holds must be enough to put the machine back.
#include "injector/core/id.hpp"
#include "tests/contract/stage.hpp"
#include "tests/contract/traced.hpp"

#include <unistd.h>

#include <doctest/doctest.h>

#include <csignal>
#include <cstdlib>
#include <iostream>
#include <set>

using namespace arashi;
using namespace arashi::testing;

// A thread sanitizer's child of a threaded process may go on and make threads of its own.
// NOLINTBEGIN(bugprone-reserved-identifier): the name by which the sanitizer finds it
extern "C" const char* __tsan_default_options();
extern "C" const char* __tsan_default_options() { return "die_after_fork=0"; }
// NOLINTEND(bugprone-reserved-identifier)

namespace {

// With ARASHI_EVERY_CALL=1 each call is tried; else so many, spread over all of them, the first and the last always.
constexpr int tried_of_each = 12;

// The agent's injector process in small: exit code 0 when the fault was injected.
int inject_and_stay(const Stage& stage, const Way& way, const Request& asked) {
  auto host = host_in(stage.directory());
  const auto workers = make_workers(host);
  host.workers = workers.get();
  auto journal = Journal::open(host.run, Journal::Durability::until_reboot);
  if (!journal) return 2;
  Injector injector(host, std::move(journal).value(), std::nullopt);
  mark();
  const auto injected = injector.inject(std::string(way.fault->name), asked);
  ::kill(::getpid(), SIGKILL);  // at the latest now: an agent that dies while the fault is active
  return injected ? 0 : 1;
}

void recover(const Stage& stage, const std::string& where) {
  const auto host = host_in(stage.directory());
  auto journal = Journal::open(host.run, Journal::Durability::until_reboot);
  if (!journal) FAIL(where << ": " << journal.error().message);
  Injector injector(host, std::move(journal).value(), std::nullopt);
  for (const auto& ended : injector.recover()) CHECK_MESSAGE(ended.step == Step::reverted, where, ": ", ended.problem);
  CHECK(injector.live() == 0);
}

// One attempt; returns how many calls there were up to its end.
int kill_at(Stage& stage, const Way& way, int at) {
  const auto asked = request(std::string(way.fault->name), stage.victim(way.kind), way.given);
  const auto before = stage.look(way, asked.id);
  const auto traced = run_traced(at, [&] { return inject_and_stay(stage, way, asked); });
  const auto where = way.name() + ", killed at system call " + std::to_string(at);
  recover(stage, where);
  // Workers that died with their holder are gone as soon as the kernel gets to it.
  std::string left;
  eventually([&] { return (left = difference(before, stage.look(way, asked.id))).empty(); }, std::chrono::seconds(10));
  CHECK_MESSAGE(left.empty(), where, ":\n", left);
  return traced.calls;
}

std::set<int> chosen(int calls) {
  std::set<int> points{1, calls};
  const int step = std::getenv("ARASHI_EVERY_CALL") != nullptr ? 1 : std::max(1, calls / tried_of_each);
  for (int at = 1; at <= calls; at += step) points.insert(at);
  return points;
}

void kill_everywhere(std::string_view fault_name, std::size_t index) {
  Stage stage;
  const auto way = stage.ways_of(*find_fault(fault_name)).at(index);
  const int calls = kill_at(stage, way, 0);
  REQUIRE(calls > 10);
  const auto points = chosen(calls);
  for (const int at : points) kill_at(stage, way, at);
  std::cout << way.name() << ": killed at " << points.size() << " of " << calls << " system calls\n";
}

}  // namespace

TEST_CASE("killed inside inject, process.kill leaves nothing") {
  for (const std::size_t way : {0U, 4U, 6U}) kill_everywhere("process.kill", way);
}
TEST_CASE("killed inside inject, process.pause leaves nothing") {
  for (const std::size_t way : {0U, 1U, 4U}) kill_everywhere("process.pause", way);
}
TEST_CASE("killed inside inject, command.run leaves nothing") { kill_everywhere("command.run", 0); }
TEST_CASE("killed inside inject, network.impair leaves nothing") {
  for (const std::size_t way : {0U, 2U}) kill_everywhere("network.impair", way);
}

TEST_CASE("killed inside inject, every other fault leaves nothing") {
  const std::set<std::string_view> done{"process.kill", "process.pause", "command.run", "network.impair"};
  for (const auto* fault : all_faults())
    if (!done.contains(fault->name)) kill_everywhere(fault->name, 0);
}
