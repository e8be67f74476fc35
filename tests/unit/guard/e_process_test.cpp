#include "experiments/guard/e_process.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <random>

using namespace arashi;
using namespace arashi::guard;
using namespace std::chrono_literals;

namespace {

// Every sequence of n outcomes of requests that fail with probability p: the mean of the e-value at the end, and the chance that it
// ever reached 1/alpha.
struct Exact {
  double mean = 0, ever = 0;
};

template <class Test, class Feed>
Exact enumerate(const Test& fresh, int n, double p, double alpha, const Feed& feed) {
  Exact exact;
  for (unsigned path = 0; path < (1U << static_cast<unsigned>(n)); ++path) {
    Test test = fresh;
    double probability = 1;
    bool reached = false;
    for (int i = 0; i < n; ++i) {
      const bool bad = (path >> static_cast<unsigned>(i) & 1U) != 0;
      probability *= bad ? p : 1 - p;
      feed(test, bad);
      reached = reached || test.log_e() >= -std::log(alpha);
    }
    exact.mean += probability * std::exp(test.log_e());
    if (reached) exact.ever += probability;
  }
  return exact;
}

void bet_slice(SliceTest& test, bool bad) { test.add(1, bad ? 1 : 0, 1s); }
void bet_request(RequestTest& test, bool bad) { test.add(1, bad ? 1 : 0); }
void bet_held(HeldTest& test, bool bad) { test.add(1, bad ? 1 : 0); }

}  // namespace

TEST_CASE("under the null the mean e-value is at most 1, and it reaches 1/alpha with at most the chance alpha: all paths") {
  constexpr int n = 10;
  for (const double m : {0.0144, 0.1, 0.4})
    for (const double share : {1.0, 0.5})
      for (const double alpha : {0.2, 0.05, 0.001}) {
        CAPTURE(m);
        CAPTURE(share);
        CAPTURE(alpha);
        const double p = m * share;  // at the boundary, and inside
        const Exact slices = enumerate(SliceTest(m, 10s), n, p, alpha, bet_slice);
        CHECK(slices.mean <= 1 + 1e-9);
        CHECK(slices.ever <= alpha);
        const Exact requests = enumerate(RequestTest(m), n, p, alpha, bet_request);
        CHECK(requests.mean <= 1 + 1e-9);
        CHECK(requests.ever <= alpha);
        if (share == 1.0) CHECK(slices.mean == doctest::Approx(1));  // fair at the boundary: nothing is given away
        if (share == 1.0) CHECK(requests.mean == doctest::Approx(1));
      }
}

TEST_CASE("at the boundary of the null, looked at after each of 600 slices, at most one run in a thousand is stopped") {
  std::mt19937_64 random(1);
  for (const std::uint64_t rate : {1, 10, 100}) {
    std::binomial_distribution<std::uint64_t> bad(rate, 0.0144);
    int stopped = 0;
    for (int run = 0; run < 400; ++run) {
      SliceTest test(0.0144, 600s);
      double highest = 0;
      for (int i = 0; i < 600; ++i) {
        test.add(static_cast<double>(rate), static_cast<double>(bad(random)), 1s);
        highest = std::max(highest, test.log_e());
      }
      if (highest >= std::log(1000.0)) ++stopped;
    }
    CAPTURE(rate);
    CHECK(stopped <= 4);  // 0.4 expected at most: P(more than 4) < 0.0001
  }
}

TEST_CASE("the mirror test: at or above the threshold it claims 'held' with at most its chance") {
  for (const double m : {0.1, 0.3})
    for (const double more : {1.0, 1.5}) {
      const Exact held = enumerate(HeldTest(m), 10, m * more, 0.2, bet_held);
      CHECK(held.mean <= 1 + 1e-9);
      CHECK(held.ever <= 0.2);
    }
}

TEST_CASE("a total outage is found in the number of steps that the closed form gives") {
  const double m = 0.0144;
  const double target = std::log(1000.0);
  RequestTest requests(m);
  int n = 0;
  for (; requests.log_e() < target; ++n) requests.add(1, 1);
  // Every alternative up to 0.999: at most (ln 1000 + ln 24) / ln(0.999 / m) requests.
  CHECK(n <= std::ceil((target + std::log(24.0)) / std::log(0.999 / m)));
  CHECK(n >= 2);

  SliceTest slices(m, 600s);
  for (n = 0; slices.log_e() < target; ++n) slices.add(10, 10, 1s);
  // One gambler of weight 1/600 with the boldest of 16 stakes: ln(1 + 0.98 / m * (1 - m)) a slice.
  const double gain = std::log(1 + 0.98 / m * (1 - m));
  CHECK(n <= std::ceil((target + std::log(16.0) + std::log(600.0)) / gain));
  CHECK(n == 4);

  HeldTest held(m);
  for (n = 0; held.log_e() < std::log(20.0); ++n) held.add(1, 0);
  CHECK(n <= std::ceil((std::log(20.0) + std::log(8.0)) / -std::log(1 - m)));
  CHECK(n > 200);
}

TEST_CASE("an added bad event never lowers an e-value") {
  std::mt19937_64 random(7);
  const auto draw = [&](std::uint64_t below) { return std::uniform_int_distribution<std::uint64_t>(0, below - 1)(random); };
  for (int round = 0; round < 300; ++round) {
    const double m = 0.001 + 0.3 * static_cast<double>(draw(1000)) / 1000;
    SliceTest less(m, 60s), more(m, 60s);
    RequestTest less_requests(m), more_requests(m);
    const auto at = draw(20);
    for (std::uint64_t i = 0; i < 20; ++i) {
      const std::uint64_t total = draw(50), bad = total == 0 ? 0 : draw(total + 1);
      const std::uint64_t extra = i == at ? 1 : 0;
      less.add(static_cast<double>(total), static_cast<double>(bad), 1s);
      more.add(static_cast<double>(total + extra), static_cast<double>(bad + extra), 1s);
      less_requests.add(total, bad);
      more_requests.add(total + extra, bad + extra);
    }
    CHECK(more.log_e() >= less.log_e() - 1e-9);
    CHECK(more_requests.log_e() >= less_requests.log_e());
  }
}

TEST_CASE("no events, no evidence, and a hundred thousand slices overflow nothing") {
  SliceTest slices(0.0144, 60s);
  HeldTest held(0.0144);
  for (int i = 0; i < 1000; ++i) {
    slices.add(0, 0, 1s);
    held.add(0, 0);
  }
  CHECK(slices.log_e() == 0);
  CHECK(held.log_e() == doctest::Approx(0));
  for (int i = 0; i < 100'000; ++i) slices.add(100, 100, 1s);
  CHECK(std::isfinite(slices.log_e()));
  CHECK(slices.log_e() > 1e5);
  for (int i = 0; i < 200'000; ++i) slices.add(100, 0, 1s);
  CHECK(std::isfinite(slices.log_e()));
}

TEST_CASE("a long slice is one bet, whatever number of requests is in it") {
  SliceTest few(0.0144, 600s), many(0.0144, 600s);
  few.add(10, 5, 15s);
  many.add(10'000, 5'000, 15s);
  CHECK(few.log_e() == many.log_e());
}
