// Counts of stretches of time, as monitoring services keep them → slices.
#include "experiments/sli/hosted/buckets.hpp"
#include "experiments/sli/answer.hpp"

#include <doctest/doctest.h>

#include <cmath>

using namespace arashi;
using namespace std::chrono_literals;
using guard::Freshness;

namespace {

constexpr double zero = 1'000'000;  // the server's time at our 0
constexpr std::int64_t origin = 1'000'000'000;

sli::Batch batch(std::initializer_list<std::pair<int, std::pair<double, double>>> points) {  // seconds → bad, total
  sli::Batch made{.width = 10'000};
  for (const auto& [at, counts] : points) {
    if (counts.first >= 0) made.bad[origin + at * std::int64_t{1000}] = counts.first;
    made.total[origin + at * std::int64_t{1000}] = counts.second;
  }
  return made;
}

struct Polls {
  sli::Buckets buckets{10s, 30s, 20s};
  std::vector<guard::Slice> take(const Result<sli::Batch>& answer, int at) {
    return buckets.take(answer, std::chrono::seconds(at), zero + at, zero);
  }
};

}  // namespace

TEST_CASE("a count is given once, when it is complete, and begins with the newest") {
  Polls polls;
  auto slices = polls.take(batch({{0, {5, 100}}, {10, {1, 100}}, {20, {2, 50}}, {30, {0, 10}}}), 50);
  REQUIRE(slices.size() == 1);  // 20 s to 30 s is the newest that is older than the lag
  CHECK(slices[0].begin == 20s);
  CHECK(slices[0].end == 30s);
  CHECK(slices[0].newest == 30s);
  CHECK(slices[0].total == 50);
  CHECK(slices[0].bad == 2);
  slices = polls.take(batch({{20, {2, 50}}, {30, {-1, 90}}, {40, {3, 80}}, {50, {9, 9}}}), 70);
  REQUIRE(slices.size() == 2);
  CHECK(slices[0].begin == 30s);
  CHECK(slices[0].bad == 0);  // no point of bad where total has one
  CHECK(slices[1].bad == 3);
  CHECK(polls.take(batch({{30, {0, 90}}, {40, {3, 80}}}), 71).empty());
}

TEST_CASE("what is no data says so, a gap is left open, and what stands still is stale") {
  Polls polls;
  CHECK(polls.take(batch({}), 50).at(0).state == Freshness::empty);
  CHECK(polls.take(fail(Blame::system, "HTTP status 500"), 51).at(0).state == Freshness::error);
  CHECK(polls.take(batch({{20, {0, 50}}}), 52).at(0).state == Freshness::fresh);
  CHECK(polls.take(batch({{30, {0, std::nan("")}}}), 62).at(0).problem.find("nan") != std::string::npos);
  CHECK(polls.take(batch({{30, {-1, -3}}}), 62).at(0).state == Freshness::not_a_number);
  auto slices = polls.take(batch({{40, {0, 50}}}), 72);  // nothing is known of 30 s to 40 s: the guard charges it
  REQUIRE(slices.size() == 1);
  CHECK(slices[0].begin == 40s);
  slices = polls.take(batch({{40, {0, 50}}}), 140);
  REQUIRE(slices.size() == 1);
  CHECK(slices[0].state == Freshness::stale);
  CHECK(slices[0].newest == 50s);
  CHECK(slices[0].problem == "the newest complete count is 90 s old");
}

TEST_CASE("it asks for what it does not know yet, on whole widths, at most an hour back") {
  Polls polls;
  auto wanted = polls.buckets.wanted(zero + 50);
  CHECK(wanted.width == 10'000);
  CHECK(wanted.from % 10'000 == 0);
  CHECK(wanted.from <= origin + 20'000);
  CHECK(wanted.to == origin + 50'000);
  polls.take(batch({{20, {0, 50}}}), 50);
  CHECK(polls.buckets.wanted(zero + 600).from == origin + 20'000);
  CHECK(polls.buckets.wanted(zero + 10'000).from == origin + 10'000'000 - 20'000 - 3'600'000);
}

TEST_CASE("how long a server wants to be left alone, in all the ways to say it") {
  const auto pause = [](long status, std::map<std::string, std::string> headers) {
    return sli::leave_alone({.status = status, .body = {}, .headers = std::move(headers)}, 1'700'000'000);
  };
  CHECK(pause(200, {}) == 0s);
  CHECK(pause(200, {{"retry-after", "7"}}) == 0s);
  CHECK(pause(429, {}) == 5s);
  CHECK(pause(429, {{"retry-after", "7"}}) == 7s);
  CHECK(pause(503, {{"retry-after", "100000"}}) == 300s);
  CHECK(pause(429, {{"retry-after", "Tue, 14 Nov 2023 22:13:50 GMT"}}) == 30s);
  CHECK(pause(429, {{"retry-after", "-5"}}) == 0s);
  CHECK(pause(429, {{"x-ratelimit-reset", "12"}, {"x-ratelimit-remaining", "0"}}) == 12s);
  CHECK(pause(200, {{"x-ratelimit-reset", "12"}, {"x-ratelimit-remaining", "0"}}) == 12s);
  CHECK(pause(200, {{"x-ratelimit-reset", "12"}, {"x-ratelimit-remaining", "3"}}) == 0s);
  CHECK(pause(429, {{"x-ratelimit-reset", "1700000020"}}) == 20s);
  CHECK(sli::escaped("a b&c=1/%") == "a%20b%26c%3D1%2F%25");
}
