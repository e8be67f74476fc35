#include "experiments/engine/node_line.hpp"
#include "experiments/fleet/fleet.hpp"
#include "tests/unit/fleet/canned_agent.hpp"

#include <doctest/doctest.h>

using namespace arashi;
using namespace arashi::engine;
using arashi::testing::Canned;
using arashi::testing::CannedAgent;

namespace {

constexpr const char* granted = R"({"ttl":5000000000,"live":0})";

struct Line {
  std::shared_ptr<Inbox> inbox = std::make_shared<Inbox>();
  NodeLine line;
  explicit Line(const CannedAgent& canned)
      : line(fleet::reach(fleet::Loop::start().value(), {.name = "node-a", .unix_socket = canned.socket()}), inbox, "checkout-k3v9x0qa") {}

  // The first of this kind that comes.
  template <class T>
  std::optional<T> await(Duration patience = std::chrono::seconds(20)) const {
    for (const Duration end = boot_now() + patience; boot_now() < end;) {
      for (auto& happening : inbox->take())
        if (auto* found = std::get_if<T>(&happening)) return *found;
      std::this_thread::sleep_for(std::chrono::milliseconds(5));
    }
    return std::nullopt;
  }
};

}  // namespace

TEST_CASE("a lease is opened when asked for, and then renewed") {
  std::atomic<int> renewals = 0;
  const CannedAgent canned([&](const std::string&) {
    ++renewals;
    return Canned{.body = granted};
  });
  Line node(canned);
  std::this_thread::sleep_for(std::chrono::milliseconds(50));
  CHECK(renewals == 0);
  node.line.open_lease();
  CHECK(node.await<run::LeaseOpened>()->agent == "node-a");
  for (int i = 0; i < 1000 && renewals < 2; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  CHECK(renewals >= 2);
}

TEST_CASE("an agent that says the experiment was halted stops the run") {
  const CannedAgent canned([](const std::string&) {
    return Canned{.status = 409, .body = R"({"blame":"refused","code":"halted","message":"in words of its own"})"};
  });
  Line node(canned);
  node.line.open_lease();
  const auto stop = node.await<run::StopAsked>();
  REQUIRE(stop);
  CHECK(stop->by.find("halt") != std::string::npos);
}

TEST_CASE("a refused lease that was never opened has not expired") {
  const CannedAgent canned([](const std::string&) { return Canned{.status = 409, .body = R"({"blame":"refused","message":"not now"})"}; });
  Line node(canned);
  node.line.open_lease();
  const auto failed = node.await<run::LeaseFailed>();
  REQUIRE(failed);
  CHECK_FALSE(failed->expired);
}

TEST_CASE("a lease that could not be renewed for its whole time has expired") {
  std::atomic<bool> up = true;
  const CannedAgent canned([&](const std::string&) { return up ? Canned{.body = granted} : Canned{.status = 500, .body = "{}"}; });
  Line node(canned);
  node.line.open_lease();
  REQUIRE(node.await<run::LeaseOpened>());
  up = false;
  const Duration down = boot_now();
  bool expired = false;
  while (!expired && boot_now() - down < std::chrono::seconds(20)) {
    const auto failed = node.await<run::LeaseFailed>();
    REQUIRE(failed);
    expired = failed->expired;
  }
  CHECK(expired);
  CHECK(boot_now() - down >= run::lease_ttl - std::chrono::milliseconds(100));
}

TEST_CASE("a hung renewal does not delay the revert, and after the revert nothing is renewed") {
  std::atomic<int> leases = 0;
  const CannedAgent canned([&](const std::string& path) {
    if (path != "/v1/lease") return Canned{.body = R"({"outcomes":[]})"};
    ++leases;
    return Canned{.silent = true};
  });
  Line node(canned);
  node.line.open_lease();
  for (int i = 0; i < 1000 && leases == 0; ++i) std::this_thread::sleep_for(std::chrono::milliseconds(5));
  REQUIRE(leases == 1);
  node.line.revert_all();
  const auto done = node.await<run::RevertDone>(std::chrono::seconds(1));  // the renewal hangs for longer
  REQUIRE(done);
  CHECK(done->ok);
  CHECK(done->id.empty());
  std::this_thread::sleep_for(std::chrono::seconds(3));
  CHECK(leases == 1);
}
