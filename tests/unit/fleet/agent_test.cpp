#include "experiments/fleet/fleet.hpp"
#include "tests/unit/fleet/canned_agent.hpp"

#include <doctest/doctest.h>

using namespace arashi;
using arashi::testing::Canned;
using arashi::testing::CannedAgent;

namespace {

fleet::Agent agent_of(const CannedAgent& canned) { return fleet::Agent({.name = "node-a", .unix_socket = canned.socket()}); }

}  // namespace

TEST_CASE("an agent of another protocol version is refused, and the error names both and says which to update") {
  for (const int theirs : {protocol::version - 1, protocol::version + 1}) {
    const CannedAgent canned(
        [&](const std::string&) { return Canned{.body = R"({"protocol":)" + std::to_string(theirs) + R"(,"release":"9.9.9"})"}; });
    auto agent = agent_of(canned);
    const auto about = agent.about();
    REQUIRE_FALSE(about);
    const auto& message = about.error().message;
    CHECK(message.find("node-a") != std::string::npos);
    CHECK(message.find("protocol " + std::to_string(theirs)) != std::string::npos);
    CHECK(message.find("protocol " + std::to_string(protocol::version)) != std::string::npos);
    CHECK(message.find(theirs < protocol::version ? "update the agent" : "update the runner") != std::string::npos);
  }
}

TEST_CASE("something else than an agent on the other end is said so") {
  const CannedAgent canned(
      [](const std::string& path) { return path == "/v1/about" ? Canned{.body = "hello"} : Canned{.status = 404, .body = "<html>"}; });
  auto agent = agent_of(canned);
  CHECK(agent.about().error().message.find("is it an arashi-agent") != std::string::npos);
  CHECK(agent.status().error().message.find("status 404") != std::string::npos);
}

TEST_CASE("an agent's refusal keeps its blame and its words, with the agent's name in front") {
  const CannedAgent canned(
      [](const std::string&) { return Canned{.status = 409, .body = R"({"blame":"refused","message":"claimed by another"})"}; });
  auto agent = agent_of(canned);
  const auto reply = agent.lease({.experiment = "x", .ttl = std::chrono::seconds(5)});
  REQUIRE_FALSE(reply);
  CHECK(reply.error().blame == Blame::refused);
  CHECK(reply.error().message == "agent node-a: claimed by another");
}

TEST_CASE("an answer that is not understood is an error that names the path") {
  const CannedAgent canned([](const std::string&) { return Canned{.body = R"({"injections":7})"}; });
  auto agent = agent_of(canned);
  CHECK(agent.status().error().message.find("/v1/status") != std::string::npos);
}

TEST_CASE("calls one after the other share one warm connection") {
  const CannedAgent canned([](const std::string&) { return Canned{.body = R"({"ttl":5000000000,"live":0})"}; });
  auto agent = agent_of(canned);
  for (int i = 0; i < 5; ++i) CHECK(agent.lease({.experiment = "x", .ttl = std::chrono::seconds(5)}));
  CHECK(canned.connections() == 1);
}

TEST_CASE("a call that hangs holds up no other") {
  const CannedAgent canned(
      [](const std::string& path) { return path == "/v1/inject" ? Canned{.silent = true} : Canned{.body = R"({"outcomes":[]})"}; });
  fleet::Agent agent({.name = "node-a", .unix_socket = canned.socket()});
  std::thread hung([&] { CHECK_FALSE(agent.inject({.experiment = "x", .id = "aaaaaaaa"}, std::chrono::seconds(3)).has_value()); });
  const auto before = boot_now();
  CHECK(agent.revert({.experiment = "x", .id = {}}));
  CHECK(boot_now() - before < std::chrono::seconds(2));
  hung.join();
}

TEST_CASE("an agent that is not there: the error names it") {
  fleet::Agent agent({.name = "node-a", .unix_socket = "/tmp/arashi-no-such-socket"});
  CHECK(agent.status().error().message.find("node-a") != std::string::npos);
}
