#include "experiments/fleet/lease.hpp"

#include "experiments/fleet/fleet.hpp"
#include "tests/support/fake_agent.hpp"
#include "tests/unit/fleet/canned_agent.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <deque>

using namespace arashi;
using arashi::testing::Canned;
using arashi::testing::CannedAgent;
using arashi::testing::FakeAgent;
using std::chrono::milliseconds;

namespace {

struct Kept {
  std::atomic<int> opened = 0, failed = 0, expired = 0;
  std::unique_ptr<fleet::Lease> lease;

  void open(const std::shared_ptr<fleet::Agent>& agent, Duration ttl) {
    fleet::LeaseNews news;
    news.opened = [this] { ++opened; };
    news.failed = [this](const Error&, bool is_expired) {
      ++failed;
      expired += is_expired ? 1 : 0;
      return true;
    };
    lease = std::make_unique<fleet::Lease>(agent, protocol::LeaseRequest{.experiment = "x", .ttl = ttl}, news);
  }
};

template <class Condition>
bool comes_true(Condition condition) {
  for (const Duration end = boot_now() + std::chrono::seconds(60); boot_now() < end;) {
    if (condition()) return true;
    std::this_thread::sleep_for(milliseconds(5));
  }
  return condition();
}

}  // namespace

TEST_CASE("leases that are opened at once are renewed one after the other") {
  constexpr std::size_t count = 100;
  constexpr Duration ttl = std::chrono::seconds(3);
  const auto loop = fleet::Loop::start().value();
  std::deque<std::vector<Duration>> asked(count);
  std::deque<Kept> leases(count);
  std::atomic<std::size_t> renewed = 0;
  for (std::size_t i = 0; i < count; ++i) {
    const auto agent = std::make_shared<FakeAgent>(loop);
    agent->on_lease = [&, i](const auto& request) {
      asked[i].push_back(boot_now());
      renewed += asked[i].size() == 2 ? 1 : 0;
      return protocol::LeaseReply{.ttl = request.ttl};
    };
    leases[i].open(agent, ttl);
  }
  REQUIRE(comes_true([&] { return renewed == count; }));
  for (auto& one : leases) one.lease.reset();
  std::atomic<bool> over = false;
  loop->post([&] { over = true; });
  REQUIRE(comes_true([&] { return over.load(); }));
  std::vector<Duration> first;
  for (const auto& times : asked) {
    first.push_back(times[1] - times[0]);
    CHECK(first.back() >= ttl / 8);  // due after a sixth at the earliest; on a busy machine the first may have come late
  }
  const auto [least, most] = std::ranges::minmax(first);
  CHECK(most - least >= ttl / 3 * 2 / 5);  // of half of the period that they are spread over
}

TEST_CASE("an agent that grants less than was asked for is asked again in a third of that") {
  const auto loop = fleet::Loop::start().value();
  const auto agent = std::make_shared<FakeAgent>(loop);
  std::atomic<int> renewals = 0;
  agent->on_lease = [&](const auto&) {
    ++renewals;
    return protocol::LeaseReply{.ttl = milliseconds(300)};
  };
  Kept kept;
  kept.open(agent, std::chrono::hours(1));
  CHECK(comes_true([&] { return renewals >= 4; }));
  CHECK(kept.opened == 1);
  CHECK(kept.failed == 0);
  kept.lease.reset();
}

TEST_CASE("silent agents do not delay the renewal of the others' leases") {
  const auto loop = fleet::Loop::start().value();
  std::atomic<int> renewals = 0;
  const CannedAgent good([&](const std::string&) {
    ++renewals;
    return Canned{.body = R"({"ttl":6000000000,"live":0})"};
  });
  constexpr int others = 20;
  std::atomic<int> asked = 0;
  const CannedAgent silent([&](const std::string&) {
    return Canned{.body = R"({"ttl":6000000000,"live":0})", .silent = ++asked > others};  // once they are open
  });
  Kept kept;
  std::deque<Kept> unanswered(others);
  for (auto& one : unanswered) one.open(fleet::reach(loop, {.name = "silent", .unix_socket = silent.socket()}), std::chrono::seconds(6));
  kept.open(fleet::reach(loop, {.name = "good", .unix_socket = good.socket()}), std::chrono::seconds(6));
  REQUIRE(comes_true([&] { return std::ranges::all_of(unanswered, [](const auto& one) { return one.failed > 0; }); }));
  const int before = renewals;
  CHECK(comes_true([&] { return renewals >= before + 3; }));
  CHECK(kept.failed == 0);
}

TEST_CASE("a lease that has ended asks and tells nothing any more, also when a renewal was under way") {
  const auto loop = fleet::Loop::start().value();
  const auto agent = std::make_shared<FakeAgent>(loop);
  std::atomic<int> asked = 0;
  agent->on_lease = [&](const auto&) -> std::optional<Result<protocol::LeaseReply>> {
    ++asked;
    return std::nullopt;
  };
  Kept kept;
  kept.open(agent, milliseconds(300));
  REQUIRE(comes_true([&] { return asked == 1; }));
  kept.lease->end();
  std::this_thread::sleep_for(milliseconds(500));
  CHECK(asked == 1);
  CHECK(kept.failed == 0);
}
