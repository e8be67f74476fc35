#include "agent/routes.hpp"

#include <doctest/doctest.h>

#include "agent/options.hpp"

using namespace arashi;

namespace {

using Roles = std::vector<std::string>;

}  // namespace

TEST_CASE("a path that does not exist is told what does") {
  NoRoute why;
  CHECK(find_route("GET", "/v2/about", why) == nullptr);
  CHECK(why.status == 404);
  CHECK(why.message.find("POST /v1/inject") != std::string::npos);
  CHECK(why.message.find("GET /v1/about") != std::string::npos);
}

TEST_CASE("a method that a path does not take is told which it does") {
  NoRoute why;
  CHECK(find_route("DELETE", "/v1/lease", why) == nullptr);
  CHECK(why.status == 405);
  CHECK(why.allow == Roles{"POST"});
}

TEST_CASE("a query does not change the path") {
  NoRoute why;
  const auto* entry = find_route("GET", "/v1/status?pretty", why);
  REQUIRE(entry != nullptr);
  CHECK(entry->route == Route::status);
}

TEST_CASE("many may stop, few may start") {
  for (const auto right : {Right::any, Right::read, Right::halt, Right::run}) CHECK(may(Roles{"runner"}, right));
  CHECK(may(Roles{"halt-only"}, Right::halt));
  CHECK(may(Roles{"halt-only"}, Right::read));
  CHECK_FALSE(may(Roles{"halt-only"}, Right::run));
  CHECK_FALSE(may(Roles{"agent"}, Right::halt));
  CHECK_FALSE(may(Roles{}, Right::read));
  CHECK(may(Roles{}, Right::any));
}

TEST_CASE("nothing that starts a fault takes less than the right to run, and nothing that stops one more than the right to halt") {
  for (const auto& entry : routes()) {
    if (entry.route == Route::inject || entry.route == Route::lease) CHECK(entry.right == Right::run);
    if (entry.route == Route::halt || entry.route == Route::revert) CHECK(entry.right == Right::halt);
  }
}

TEST_CASE("a body becomes what our own printer writes, or an error that names the field") {
  NoRoute why;
  const auto* lease = find_route("POST", "/v1/lease", why);
  REQUIRE(lease != nullptr);
  const auto canonical = lease->canonical(R"({ "ttl":5000000000, "experiment" : "e", "more": [1] })");
  REQUIRE(canonical.has_value());
  CHECK(*canonical == R"({"experiment":"e","ttl":5000000000})");
  CHECK(lease->canonical(R"({"experiment": "e"})").error().message == "field 'ttl' is missing");
}

TEST_CASE("addresses to listen on") {
  CHECK(parse_endpoint("10.0.0.3:7340")->address == "10.0.0.3");
  CHECK(parse_endpoint("[::1]:7340")->address == "::1");
  CHECK(parse_endpoint("[::1]:7340")->port == 7340);
  CHECK(parse_endpoint(":7340")->address == "::");
  CHECK_FALSE(parse_endpoint("10.0.0.3").has_value());
  CHECK_FALSE(parse_endpoint("10.0.0.3:").has_value());
  CHECK_FALSE(parse_endpoint("10.0.0.3:70000").has_value());
  CHECK_FALSE(parse_endpoint("10.0.0.3:80x").has_value());
}

TEST_CASE("an agent's process is told every option its parent has") {
  const Options options{
      .socket = "/s", .listen = "[::1]:1", .ca = "/ca", .run_dir = "/r", .state_dir = "/d", .embedded = true, .control_fd = 7};
  const auto arguments = arguments_of("injector", options);
  const Roles expected{"/proc/self/exe", "injector", "--socket",    "/s", "--listen",   "[::1]:1",      "--ca", "/ca",
                       "--run-dir",      "/r",       "--state-dir", "/d", "--embedded", "--control-fd", "7"};
  CHECK(arguments == expected);
}
