// Whole runs in this process, without a command line: one after the other, side by side, and stopped in each state.
#include "experiments/engine/engine.hpp"

#include "experiments/engine/run_name.hpp"
#include "injector/core/json.hpp"
#include "tests/unit/fleet/canned_agent.hpp"

#include <malloc.h>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <mutex>

namespace arashi::engine {

namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using testing::Canned;
using testing::CannedAgent;

// An agent with one victim that takes whatever it is asked for; in a state of a test's choosing it says nothing any more.
class Node {
 public:
  std::atomic<bool> silent_to_resolve = false, silent_to_lease = false;
  CannedAgent agent{[this](const std::string& path) { return answer(path); }};

  [[nodiscard]] Agents agents() const {
    return {{"local", fleet::reach(fleet::Loop::start().value(), {.name = "local", .unix_socket = agent.socket()})}};
  }

 private:
  Canned answer(const std::string& path) {
    if (path == "/v1/resolve") {
      Victim victim{.kind = "process", .label = "wallet (pid 1)", .pid = 1, .start_time = 1};
      return {.body = protocol::print(protocol::ResolveReply{{victim}}), .silent = silent_to_resolve};
    }
    if (path == "/v1/prepare") return {.body = protocol::print(protocol::PrepareReply{.claims = {"process:1"}, .mechanism = "signals"})};
    if (path == "/v1/lease") return {.body = protocol::print(protocol::LeaseReply{.ttl = seconds(5)}), .silent = silent_to_lease};
    Evidence evidence{.in_place = true, .bit = true, .seen = 10, .affected = 10};
    if (path == "/v1/inject") return {.body = protocol::print(protocol::InjectReply{.id = "x", .evidence = evidence})};
    if (path == "/v1/revert") return {.body = protocol::print(protocol::RevertReply{})};
    return {.body = protocol::print(protocol::StatusReply{})};
  }
};

Job a_job(Duration length = milliseconds(100)) {
  Job job{.seed = 1, .budgets = "/tmp/arashi-engine-test-budgets"};
  job.experiment.name = "calm";
  job.experiment.targets = {{.name = "it", .selector = {.kind = "process", .match = {{"name", "wallet"}}}}};
  job.experiment.timeline = {
      {.length = length, .fault = "process.pause", .on = "it", .params = std::make_shared<const Json>(Json::object())}};
  job.experiment.limits.duration = std::chrono::hours(1);
  job.run = new_run_name("calm");
  return job;
}

class Watcher : public Observer {
 public:
  void look(const run::Runner& runner, Duration /*now*/) override {
    const std::lock_guard lock(mutex_);
    state_ = runner.state();
    ++looks_;
  }
  [[nodiscard]] bool await(run::State state) {
    for (const Duration end = boot_now() + seconds(30); boot_now() < end; std::this_thread::sleep_for(milliseconds(2))) {
      const std::lock_guard lock(mutex_);
      if (looks_ > 0 && state_ == state) return true;
    }
    return false;
  }

 private:
  std::mutex mutex_;
  run::State state_{};
  int looks_ = 0;
};

run::RunResult run_one(const Node& node) {
  StopButton stop;
  Watcher watcher;
  auto result = carry_out(a_job(), node.agents(), {&watcher}, stop);
  REQUIRE_MESSAGE(result, result.error().message);
  return *result;
}

std::size_t entries(const char* folder) {
  const std::filesystem::directory_iterator all(folder);
  return static_cast<std::size_t>(std::distance(begin(all), end(all)));
}

struct Held {  // by this process
  std::size_t threads = entries("/proc/self/task"), descriptors = entries("/proc/self/fd"), bytes = ::mallinfo2().uordblks;
};

// A thread that has done its work may take a moment to be gone.
bool comes_back_to(const Held& before) {
  for (const Duration end = boot_now() + seconds(20); boot_now() < end; std::this_thread::sleep_for(milliseconds(20))) {
    const Held now;
    if (now.threads <= before.threads && now.descriptors <= before.descriptors) return true;
  }
  return false;
}

}  // namespace

TEST_CASE("twenty runs one after the other and five side by side leave no thread, descriptor or memory behind") {
  Held before;
  {
    const Node warm;  // what is made once for the whole process
    CHECK(run_one(warm).outcome == run::Outcome::held);
  }
  REQUIRE(comes_back_to({.threads = before.threads, .descriptors = before.descriptors + 8}));
  before = Held();
  for (int i = 0; i < 20; ++i) {
    const Node node;
    CHECK(run_one(node).outcome == run::Outcome::held);
  }
  const Held after_twenty;
  {
    std::array<Node, 5> nodes;
    std::array<run::Outcome, 5> outcomes{};
    std::vector<std::jthread> runs;
    for (std::size_t i = 0; i < nodes.size(); ++i) runs.emplace_back([&, i] { outcomes[i] = run_one(nodes[i]).outcome; });
    runs.clear();
    for (const auto outcome : outcomes) CHECK(outcome == run::Outcome::held);
  }
  CHECK(comes_back_to(before));
  CAPTURE(before.bytes);
  CAPTURE(after_twenty.bytes);
  CHECK(after_twenty.bytes < before.bytes + (std::size_t{1} << 20U));
  CHECK(::mallinfo2().uordblks < before.bytes + (std::size_t{2} << 20U));
}

TEST_CASE("each run has its own stop, heard in each state, and the other goes on") {
  struct Case {
    run::State state;
    bool resolves, leases;
  };
  for (const auto& each :
       {Case{run::State::preparing, false, true}, Case{run::State::steady, true, false}, Case{run::State::observing, true, true}}) {
    CAPTURE(name_of(each.state));
    Node node;
    node.silent_to_resolve = !each.resolves;
    node.silent_to_lease = !each.leases;
    const Node other_node;
    StopButton stop, never;
    Watcher watcher, other_watcher;
    std::optional<Result<run::RunResult>> result, other_result;
    std::jthread one([&] { result.emplace(carry_out(a_job(seconds(60)), node.agents(), {&watcher}, stop)); });
    std::jthread other([&] { other_result.emplace(carry_out(a_job(seconds(1)), other_node.agents(), {&other_watcher}, never)); });
    CHECK(watcher.await(each.state));
    const Duration asked = boot_now();
    stop.press("the test");
    CHECK(watcher.await(run::State::done));
    CHECK(boot_now() - asked < seconds(4));  // of 10 s that the silent agent would be waited for, and 60 s of the fault
    one.join();
    other.join();
    REQUIRE(result);
    REQUIRE(*result);
    CHECK((*result)->outcome == run::Outcome::interrupted);
    CHECK((*result)->reasons == std::vector<std::string>{"interrupted by the test"});
    REQUIRE(*other_result);
    CHECK((*other_result)->outcome == run::Outcome::held);
  }
}

TEST_CASE("a run that cannot be prepared is an error, and nothing was asked of an agent") {
  const Node node;
  auto job = a_job();
  job.experiment.slos = {
      {.name = "pay", .objective = 0.999, .measures = {{.source = spec::AccessLogSource{.file = "/nowhere/access.log"}}}}};
  StopButton stop;
  const auto result = carry_out(job, node.agents(), {}, stop);
  REQUIRE_FALSE(result);
  CHECK(result.error().message.find("/nowhere/access.log") != std::string::npos);
}

}  // namespace arashi::engine
