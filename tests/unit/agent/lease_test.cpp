#include "agent/lease.hpp"

#include <doctest/doctest.h>

#include <chrono>

using namespace arashi;
using namespace std::chrono_literals;

TEST_CASE("a lease that is not renewed ends at its time, not before") {
  Leases leases(60s);
  REQUIRE(leases.renew("slow-ledger", 5s, 100s).has_value());
  CHECK(leases.next_end() == 105s);
  CHECK(leases.take_expired(105s - 1ns).empty());
  CHECK(leases.take_expired(105s) == std::vector<std::string>{"slow-ledger"});
  CHECK_FALSE(leases.next_end().has_value());
  CHECK(leases.take_expired(106s).empty());
}

TEST_CASE("a renewal moves the end and keeps the term") {
  Leases leases(60s);
  CHECK(leases.renew("e", 5s, 100s)->opened);
  const auto term = leases.term("e", 100s);
  CHECK_FALSE(leases.renew("e", 5s, 103s)->opened);
  CHECK(leases.take_expired(105s).empty());
  CHECK(leases.next_end() == 108s);
  CHECK(leases.term("e", 104s) == term);
}

TEST_CASE("a lease opened again after its end has another term") {
  Leases leases(60s);
  (void)leases.renew("e", 5s, 0s);
  const auto first = leases.term("e", 1s);
  SUBCASE("taken out") { CHECK(leases.take_expired(5s).size() == 1); }
  SUBCASE("renewed too late, before it was taken out") {}
  SUBCASE("ended") { CHECK(leases.end("e")); }
  CHECK_FALSE(leases.term("e", 5s).has_value());
  CHECK(leases.renew("e", 5s, 6s)->opened);
  CHECK(leases.term("e", 7s).has_value());
  CHECK(leases.term("e", 7s) != first);
}

TEST_CASE("the policy's longest lease shortens what is asked for") {
  Leases leases(10s);
  CHECK(leases.renew("e", 1h, 0s)->ttl == 10s);
  CHECK(leases.next_end() == 10s);
  CHECK(leases.renew("e", 2s, 0s)->ttl == 2s);
}

TEST_CASE("a lease of no length, of no name, or one too many is refused") {
  Leases leases(10s, 2);
  CHECK(leases.renew("e", 0s, 0s).error().blame == Blame::input);
  CHECK(leases.renew("e", -5s, 0s).error().blame == Blame::input);
  CHECK(leases.renew("../e", 5s, 0s).error().blame == Blame::input);
  CHECK(leases.renew("", 5s, 0s).error().blame == Blame::input);
  CHECK(leases.renew("one", 5s, 0s).has_value());
  CHECK(leases.renew("two", 5s, 0s).has_value());
  CHECK(leases.renew("three", 5s, 0s).error().blame == Blame::refused);
  CHECK(leases.renew("two", 5s, 1s).has_value());
}

TEST_CASE("each experiment's lease ends by itself") {
  Leases leases(60s);
  (void)leases.renew("long", 20s, 0s);
  (void)leases.renew("short", 5s, 0s);
  CHECK(leases.next_end() == 5s);
  CHECK(leases.take_expired(6s) == std::vector<std::string>{"short"});
  CHECK(leases.experiments() == std::vector<std::string>{"long"});
  CHECK_FALSE(leases.end("short"));
}
