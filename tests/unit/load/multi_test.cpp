#include "experiments/load/multi.hpp"
#include "tests/support/http_server.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <thread>

using namespace arashi;
using namespace arashi::load;
using namespace std::chrono_literals;
using testing::Answered;
using testing::Asked;
using testing::HttpServer;

namespace {

spec::Load load_to(const std::string& url) {
  spec::Load load;
  load.name = "x";
  load.url = url;
  load.rate = {10};
  return load;
}

std::unique_ptr<Multi> make(const spec::Load& load, std::vector<Duration> patience) {
  auto requests = Requests::make(load, {1, 2});
  REQUIRE_MESSAGE(requests, requests.error().message);
  auto multi =
      Multi::make(load, std::make_shared<const Requests>(std::move(*requests)), {.connections = 8, .patience = std::move(patience)});
  REQUIRE_MESSAGE(multi, multi.error().message);
  return std::move(*multi);
}

std::vector<Finished> run(Multi& multi, Duration until, std::size_t count) {
  std::vector<Finished> finished;
  while (finished.size() < count && boot_now() < until) {
    multi.wait(until);
    multi.take(finished);
  }
  return finished;
}

}  // namespace

// The thread is held up as a busy one is: the answer lies in its socket, and is read long after it should have come.
TEST_CASE("an answer that came in time and was read late came in time") {
  HttpServer server([](const Asked&) { return Answered{.after = 50ms}; });
  const auto multi = make(load_to(server.url()), {1s});
  REQUIRE(multi->begin(0, boot_now()));
  REQUIRE(run(*multi, boot_now() + 10s, 1).size() == 1);  // the connection is there
  const Duration intended = boot_now();
  REQUIRE(multi->begin(1, intended));
  for (const Duration until = intended + 10ms; boot_now() < until;) multi->wait(until);
  std::this_thread::sleep_for(1500ms);
  const auto late = run(*multi, boot_now() + 10s, 1);
  REQUIRE(late.size() == 1);
  CHECK(late[0].answer == Answer::good);
  CHECK(late[0].arrived - intended >= 40ms);
  CHECK(late[0].arrived - intended < 1s);
}

TEST_CASE("an answer that came too late came too late, whoever was busy") {
  HttpServer server([](const Asked&) { return Answered{.after = 250ms}; });
  const auto multi = make(load_to(server.url()), {150ms});
  const Duration intended = boot_now();
  REQUIRE(multi->begin(0, intended));
  for (const Duration until = intended + 20ms; boot_now() < until;) multi->wait(until);
  std::this_thread::sleep_for(400ms);
  const auto late = run(*multi, boot_now() + 10s, 1);
  REQUIRE(late.size() == 1);
  CHECK(late[0].arrived - intended > 200ms);
}

// With nothing else to do the thread would sleep until the next tick before it noticed.
TEST_CASE("what ends while libcurl's timers run is noticed at once") {
  for (const int connected : {0, 1}) {
    CAPTURE(connected);
    HttpServer server([](const Asked&) { return Answered{}; });
    const auto multi = make(load_to(connected == 0 ? "http://127.0.0.1:" + std::to_string(testing::free_port()) + "/" : server.url()), {});
    for (std::uint64_t request = 0; request < 20; ++request) {
      const Duration begun = boot_now();
      REQUIRE(multi->begin(request, begun));
      REQUIRE(run(*multi, begun + 10s, 1).size() == 1);
      CHECK(boot_now() - begun < 3s);  // asleep it would find it when the ten seconds are over
    }
  }
}

TEST_CASE("a request ends at its timeout and its connection with it, and the next one begins on another") {
  std::atomic<bool> hangs = true;
  HttpServer server([&](const Asked&) { return Answered{.after = hangs ? Duration(20s) : Duration{}}; });
  auto load = load_to(server.url());
  load.timeout = 1s;
  const auto multi = make(load, {});
  const Duration begun = boot_now();
  REQUIRE(multi->begin(0, begun));
  const auto first = run(*multi, begun + 15s, 1);
  REQUIRE(first.size() == 1);
  CHECK(first[0].answer == Answer::timed_out);
  CHECK(first[0].arrived - begun >= 1s);
  CHECK(first[0].arrived - begun < 8s);
  hangs = false;
  REQUIRE(multi->begin(1, boot_now()));
  const auto second = run(*multi, boot_now() + 15s, 1);
  REQUIRE(second.size() == 1);
  CHECK(second[0].answer == Answer::good);
  CHECK(server.connections() == 2);
}

TEST_CASE("a connection that the server closes while it is idle costs no request") {
  HttpServer server([](const Asked&) { return Answered{.headers = "Connection: close\r\n"}; });
  const auto multi = make(load_to(server.url()), {});
  for (std::uint64_t request = 0; request < 5; ++request) {
    REQUIRE(multi->begin(request, boot_now()));
    const auto ended = run(*multi, boot_now() + 10s, 1);
    REQUIRE(ended.size() == 1);
    CHECK(ended[0].answer == Answer::good);
    const Duration until = boot_now() + 30ms;
    std::vector<Finished> none;
    while (boot_now() < until) multi->wait(until);
    multi->take(none);
    CHECK(none.empty());
  }
}
