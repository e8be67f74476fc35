#include "experiments/fleet/awaited.hpp"
#include "experiments/fleet/fleet.hpp"
#include "experiments/fleet/wire.hpp"
#include "tests/unit/fleet/canned_agent.hpp"

#include <doctest/doctest.h>

using namespace arashi;
using arashi::testing::Canned;
using arashi::testing::CannedAgent;
using fleet::answer_of;

namespace {

std::shared_ptr<fleet::Agent> agent_of(const CannedAgent& canned) {
  return fleet::reach(fleet::Loop::start().value(), {.name = "node-a", .unix_socket = canned.socket()});
}

Result<protocol::About> about(fleet::Agent& agent) {
  return answer_of<protocol::About>([&](auto then) { agent.about(then); });
}
Result<protocol::StatusReply> status(fleet::Agent& agent, const fleet::Terms& terms = {}) {
  return answer_of<protocol::StatusReply>([&](auto then) { agent.status(then, terms); });
}
Result<protocol::LeaseReply> lease(fleet::Agent& agent) {
  return answer_of<protocol::LeaseReply>([&](auto then) { agent.lease({.experiment = "x", .ttl = std::chrono::seconds(30)}, then); });
}
Result<protocol::RevertReply> revert(fleet::Agent& agent) {
  return answer_of<protocol::RevertReply>([&](auto then) { agent.revert({.experiment = "x", .id = {}}, then); });
}

constexpr const char* granted = R"({"ttl":5000000000,"live":0})";
constexpr const char* reverted = R"({"outcomes":[]})";

// Whether it becomes true within a generous time.
template <class Condition>
bool comes_true(Condition condition) {
  for (const Duration end = boot_now() + std::chrono::seconds(30); boot_now() < end;) {
    if (condition()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
  return condition();
}

}  // namespace

TEST_CASE("an agent of another protocol version is refused, and the error names both and says which to update") {
  for (const int theirs : {protocol::version - 1, protocol::version + 1}) {
    const CannedAgent canned(
        [&](const std::string&) { return Canned{.body = R"({"protocol":)" + std::to_string(theirs) + R"(,"release":"9.9.9"})"}; });
    const auto reply = about(*agent_of(canned));
    REQUIRE_FALSE(reply);
    const auto& message = reply.error().message;
    CHECK(message.find("node-a") != std::string::npos);
    CHECK(message.find("protocol " + std::to_string(theirs)) != std::string::npos);
    CHECK(message.find("protocol " + std::to_string(protocol::version)) != std::string::npos);
    CHECK(message.find(theirs < protocol::version ? "update the agent" : "update the runner") != std::string::npos);
  }
}

TEST_CASE("something else than an agent on the other end is said so") {
  const CannedAgent canned(
      [](const std::string& path) { return path == "/v1/about" ? Canned{.body = "hello"} : Canned{.status = 404, .body = "<html>"}; });
  const auto agent = agent_of(canned);
  CHECK(about(*agent).error().message.find("is it an arashi-agent") != std::string::npos);
  CHECK(status(*agent).error().message.find("status 404") != std::string::npos);
}

TEST_CASE("an agent's refusal keeps its blame and its words, with the agent's name in front") {
  const CannedAgent canned([](const std::string&) {
    return Canned{.status = 409, .body = R"({"blame":"refused","code":"claimed","message":"claimed by another"})"};
  });
  const auto reply = lease(*agent_of(canned));
  REQUIRE_FALSE(reply);
  CHECK(reply.error().blame == Blame::refused);
  CHECK(reply.error().code == Code::claimed);
  CHECK(reply.error().message == "agent node-a: claimed by another");
}

TEST_CASE("what an agent's refusal is does not hang on its words") {
  for (const auto& each : code_texts)
    for (const auto* words : {"as said", "halted, expired and claimed", ""}) {
      const auto body = protocol::print(protocol::ErrorReply{.blame = each.blame, .code = each.code, .message = words});
      const CannedAgent canned([&](const std::string&) { return Canned{.status = protocol::http_status(each.blame), .body = body}; });
      const auto reply = lease(*agent_of(canned));
      REQUIRE_FALSE(reply);
      CHECK(reply.error().code == each.code);
      CHECK(reply.error().blame == each.blame);
    }
}

TEST_CASE("an answer that is not understood is an error that names the path") {
  const CannedAgent canned([](const std::string&) { return Canned{.body = R"({"injections":7})"}; });
  CHECK(status(*agent_of(canned)).error().message.find("/v1/status") != std::string::npos);
}

TEST_CASE("calls one after the other share one warm connection") {
  const CannedAgent canned([](const std::string&) { return Canned{.body = granted}; });
  const auto agent = agent_of(canned);
  for (int i = 0; i < 5; ++i) CHECK(lease(*agent));
  CHECK(canned.connections() == 1);
}

TEST_CASE("a call that hangs holds up no other") {
  const CannedAgent canned(
      [](const std::string& path) { return path == "/v1/inject" ? Canned{.silent = true} : Canned{.body = reverted}; });
  const auto agent = agent_of(canned);
  fleet::Awaited hung;
  std::atomic<bool> is_over = false;
  agent->inject({.experiment = "x", .id = "aaaaaaaa"}, hung.then<protocol::InjectReply>([&](const auto& reply) {
    CHECK_FALSE(reply.has_value());
    is_over = true;
  }),
                {.patience = std::chrono::seconds(5), .stop = {}});
  CHECK(revert(*agent));
  CHECK_FALSE(is_over);
  hung.wait();
}

TEST_CASE("an agent that is not there: the error names it") {
  const auto agent = fleet::reach(fleet::Loop::start().value(), {.name = "node-a", .unix_socket = "/tmp/arashi-no-such-socket"});
  const auto error = status(*agent).error();
  CHECK(error.message.find("node-a") != std::string::npos);
  CHECK(error.blame == Blame::system);  // "missing" is an agent's answer: an injection that got none may be there
}

TEST_CASE("a revert overtakes the injections that wait for their turn, and each request is answered once") {
  std::atomic<int> injects = 0, others = 0;
  const CannedAgent canned([&](const std::string& path) {
    if (path != "/v1/inject") return ++others, Canned{.body = reverted};
    ++injects;
    return Canned{.silent = true};
  });
  const auto agent = agent_of(canned);
  constexpr int asked = static_cast<int>(fleet::Wire::most_at_once) + 12;
  std::stop_source stop;
  std::array<std::atomic<int>, asked> answers{};
  fleet::Awaited awaited;
  for (auto& count : answers)
    agent->inject({.experiment = "x", .id = "aaaaaaaa"}, awaited.then<protocol::InjectReply>([&](const auto& reply) {
      CHECK_FALSE(reply.has_value());
      ++count;
    }),
                  {.patience = std::chrono::seconds(60), .stop = stop.get_token()});
  CHECK(revert(*agent));
  REQUIRE(comes_true([&] { return injects == static_cast<int>(fleet::Wire::most_at_once); }));
  CHECK(others == 1);
  stop.request_stop();
  awaited.wait();
  for (const auto& count : answers) CHECK(count == 1);
  CHECK(injects == static_cast<int>(fleet::Wire::most_at_once));  // a cancelled one is never sent
}

TEST_CASE("a request that waits for its turn for longer than its patience ends as one that was sent would") {
  const CannedAgent canned([&](const std::string&) { return Canned{.silent = true}; });
  const auto agent = agent_of(canned);
  std::stop_source stop;
  fleet::Awaited awaited;
  for (std::size_t i = 0; i < fleet::Wire::most_at_once; ++i)
    agent->status(awaited.then<protocol::StatusReply>([](const auto&) {}),
                  {.patience = std::chrono::seconds(60), .stop = stop.get_token()});
  CHECK_FALSE(status(*agent, {.patience = std::chrono::milliseconds(100), .stop = {}}));
  stop.request_stop();
  awaited.wait();
}

TEST_CASE("a cancelled request is answered at once, also one that was cancelled before it was made") {
  const CannedAgent canned([](const std::string&) { return Canned{.silent = true}; });
  const auto agent = agent_of(canned);
  std::stop_source stop;
  fleet::Awaited awaited;
  std::string said;
  agent->status(awaited.then<protocol::StatusReply>([&](const auto& reply) { said = reply.error().message; }),
                {.patience = std::chrono::hours(1), .stop = stop.get_token()});
  REQUIRE(comes_true([&] { return canned.open() == 1; }));
  stop.request_stop();
  awaited.wait();
  CHECK(said.find("node-a") != std::string::npos);
  CHECK(said.find("cancelled") != std::string::npos);
  CHECK(comes_true([&] { return canned.open() == 0; }));  // what still comes is nobody's answer
  CHECK_FALSE(status(*agent, {.patience = std::chrono::hours(1), .stop = stop.get_token()}));
}

TEST_CASE("a connection that the agent has closed, or that went silent, is opened again") {
  std::atomic<bool> hangs_up = true, silent = false;
  const CannedAgent canned([&](const std::string&) { return Canned{.body = granted, .silent = silent, .hangs_up = hangs_up}; });
  const auto agent = agent_of(canned);
  CHECK(lease(*agent));
  REQUIRE(comes_true([&] { return canned.open() == 0; }));
  hangs_up = false;
  CHECK(lease(*agent));
  CHECK(canned.connections() == 2);
  silent = true;
  CHECK_FALSE(answer_of<protocol::LeaseReply>([&](auto then) { agent->lease({.experiment = "x", .ttl = std::chrono::seconds(1)}, then); }));
  silent = false;
  CHECK(lease(*agent));
  CHECK(canned.connections() == 3);
}

TEST_CASE("however many requests were under way at once, two connections stay open") {
  std::atomic<bool> silent = true;
  std::atomic<int> asked = 0;
  const CannedAgent canned([&](const std::string& path) {
    if (path != "/v1/status") return Canned{.body = granted};
    for (++asked; silent;) std::this_thread::sleep_for(std::chrono::milliseconds(5));
    return Canned{.body = R"({"release":"","node":"","injections":[],"leases":[]})"};
  });
  const auto agent = agent_of(canned);
  fleet::Awaited awaited;
  for (int i = 0; i < 5; ++i)
    agent->status(awaited.then<protocol::StatusReply>([](const auto& reply) { CHECK(reply.has_value()); }),
                  {.patience = std::chrono::seconds(60), .stop = {}});
  REQUIRE(comes_true([&] { return asked == 5; }));
  CHECK(lease(*agent));
  CHECK(canned.open() == 6);
  silent = false;
  awaited.wait();
  CHECK(comes_true([&] { return canned.open() == 2; }));
  CHECK(lease(*agent));
  CHECK(status(*agent));
  CHECK(canned.connections() == 6);
}

TEST_CASE("what is under way when the last agent goes is answered, once, and no thread is left") {
  const CannedAgent canned([](const std::string&) { return Canned{.silent = true}; });
  std::atomic<int> answers = 0;
  {
    const auto agent = agent_of(canned);
    for (int i = 0; i < 20; ++i)
      agent->status(
          [&](const auto& reply) {
            CHECK_FALSE(reply.has_value());
            ++answers;
          },
          {.patience = std::chrono::hours(1), .stop = {}});
  }
  CHECK(answers == 20);
}
