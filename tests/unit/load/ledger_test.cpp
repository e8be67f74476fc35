#include "experiments/load/ledger.hpp"
#include "experiments/load/schedule.hpp"

#include <doctest/doctest.h>

using namespace arashi;
using namespace arashi::load;
using namespace std::chrono_literals;

namespace {

// Starts at 100 s of the boot clock in a run that began at 90 s.
Ledger ledger(double rate, std::vector<Duration> latencies = {300ms}) {
  spec::Load load;
  load.rate = {rate};
  return Ledger({.name = "x",
                 .rate = rate,
                 .next = [schedule = Schedule(load)]() mutable { return schedule.next(); },
                 .latencies = std::move(latencies),
                 .timeout = 2s,
                 .epoch = 90s,
                 .start = 100s});
}

void answer_all(Ledger& ledger, Duration now, Answer answer = Answer::good) {
  ledger.advance(now);
  for (std::uint64_t i = 0; i < ledger.due(); ++i) ledger.answered(i, answer, now);
}

}  // namespace

TEST_CASE("requests are due at their intended times, without drift") {
  auto at_three = ledger(3);
  at_three.advance(100s);
  CHECK(at_three.due() == 1);
  at_three.advance(100s + 333ms);
  CHECK(at_three.due() == 1);
  at_three.advance(100s + 334ms);
  CHECK(at_three.due() == 2);
  CHECK(at_three.intended(1) == 100s + 333333334ns);
  at_three.advance(101s);
  CHECK(at_three.intended(3) == 101s);
  at_three.advance(100s + 3600s);
  CHECK(at_three.due() == 3 * 3600 + 1);
  CHECK(at_three.next_intended() == 3700s + 333333334ns);
}

TEST_CASE("a second closes once every request of it is decided, and not before it is over") {
  auto book = ledger(10);
  answer_all(book, 100s + 950ms, Answer::good);
  CHECK(book.drain(300ms).empty());
  book.advance(101s - 1ns);
  CHECK(book.drain(300ms).empty());
  book.advance(101s);
  const auto slices = book.drain(300ms);
  REQUIRE(slices.size() == 1);
  CHECK(slices[0].begin == 10s);
  CHECK(slices[0].end == 11s);
  CHECK(slices[0].newest == 11s);
  CHECK(slices[0].total == 10);
}

TEST_CASE("an undecided request is bad when it is too old, at once and never twice") {
  auto book = ledger(1);
  book.advance(100s);
  book.started(0, 100s);
  book.advance(100s + 300ms);
  CHECK(book.summary().bad == 0);
  book.advance(100s + 301ms);
  CHECK(book.summary().bad == 1);
  CHECK(*book.summary().first_bad == 10s + 301ms);
  book.answered(0, Answer::good, 100s + 500ms);
  book.advance(100s + 900ms);
  const auto summary = book.summary();
  CHECK(summary.bad == 1);
  CHECK(summary.total == 1);
  CHECK(summary.seconds[0].slow == 1);
  CHECK(summary.seconds[0].good == 0);
  CHECK(summary.seconds[0].most > 490ms);  // its true latency is known all the same
}

TEST_CASE("a hung second closes at the latest one latency threshold after its end") {
  auto book = ledger(10);
  for (int i = 0; i <= 1200; i += 100) book.advance(100s + i * 1ms);
  CHECK(book.drain(300ms).empty());
  book.advance(101s + 201ms);  // the last request was intended at 100.9 s
  const auto slices = book.drain(300ms);
  REQUIRE(slices.size() == 1);
  CHECK(slices[0].bad == 10);
}

TEST_CASE("a late answer is bad even when nobody looked in between") {
  auto book = ledger(1);
  book.advance(100s);
  book.answered(0, Answer::good, 100s + 700ms);
  CHECK(book.summary().bad == 1);
}

TEST_CASE("seconds without a request are slices without events") {
  auto book = ledger(0.1);
  answer_all(book, 100s);
  book.advance(104s);
  const auto slices = book.drain(300ms);
  REQUIRE(slices.size() == 4);
  CHECK(slices[0].total == 1);
  CHECK(slices[3].total == 0);
  CHECK(slices[3].end == 14s);
}

TEST_CASE("finishing closes what is decided and forgets what is young") {
  auto book = ledger(10);
  book.advance(100s + 450ms);  // 5 requests: at 0, 100 … 400 ms
  book.answered(4, Answer::failed, 100s + 450ms);
  book.finish(100s + 450ms);  // 0 and 1 are too old, 2 and 3 undecided
  const auto slices = book.drain(300ms);
  REQUIRE(slices.size() == 1);
  CHECK(slices[0].total == 3);
  CHECK(slices[0].bad == 3);
  CHECK(slices[0].end == 10s + 450ms);
  book.answered(2, Answer::good, 100s + 460ms);
  CHECK(book.summary().total == 3);
}

TEST_CASE("memory stays small in a long run: only seconds that may still change are open") {
  auto book = ledger(100);
  for (int t = 1; t <= 600; ++t) {
    book.advance(100s + t * 1s);
    for (std::uint64_t i = book.due() - 100; i < book.due(); ++i) book.answered(i, Answer::good, 100s + t * 1s);
  }
  const auto summary = book.summary();
  CHECK(summary.seconds.size() >= 600);
  CHECK(summary.seconds[0].intended == 100);
}

TEST_CASE("each threshold has its own counts of the same requests") {
  auto book = ledger(4, {300ms, 0s, 100ms, 300ms});
  book.advance(100s);
  book.answered(0, Answer::good, 100s + 50ms);
  book.advance(100s + 250ms);
  book.answered(1, Answer::good, 100s + 250ms + 200ms);
  book.advance(100s + 500ms);
  book.answered(2, Answer::failed, 100s + 500ms + 10ms);
  book.advance(100s + 750ms);
  book.advance(101s + 100ms);  // the last one is too old for 300 ms and 100 ms, and not yet for its timeout
  const auto slice = [&](Duration latency) {
    const auto slices = book.drain(latency);
    REQUIRE(slices.size() == 1);
    CHECK(slices[0].total == 4);
    return slices[0].bad;
  };
  CHECK(slice(100ms) == 3);
  CHECK(slice(300ms) == 2);
  CHECK(book.drain(300ms).empty());  // once
  CHECK(book.drain(0s).empty());
  CHECK(book.drain(7s).empty());
  book.answered(3, Answer::good, 100s + 750ms + 1s);
  book.advance(102s);
  const auto rest = book.drain(0s);
  REQUIRE_FALSE(rest.empty());
  CHECK(rest[0].total == 4);
  CHECK(rest[0].bad == 1);
  const auto summary = book.summary();
  REQUIRE(summary.thresholds.size() == 3);
  CHECK(summary.thresholds[0].latency == 100ms);
  CHECK(summary.thresholds[1].latency == 300ms);
  CHECK(summary.thresholds[2].latency == 0s);
  CHECK(*summary.thresholds[0].first_bad == 10s + 450ms);  // the slow answer; the hung one later
  CHECK(*summary.thresholds[1].first_bad == 10s + 510ms);
  CHECK(summary.bad == summary.thresholds[0].bad);
}

TEST_CASE("what came in time and is told late is not too old") {
  auto book = ledger(1);
  book.advance(100s);
  book.advance(100s + 900ms, 100s + 200ms);  // nobody has looked since
  CHECK(book.summary().bad == 0);
  book.answered(0, Answer::good, 100s + 250ms);
  book.advance(101s);
  CHECK(book.summary().bad == 0);
  CHECK(book.drain(300ms).at(0).bad == 0);
}

TEST_CASE("who does not look knows nothing: no request is bad for it, and no second closes") {
  auto book = ledger(1);
  book.advance(100s);
  book.advance(105s, 100s);
  CHECK(book.summary().bad == 0);
  CHECK(book.drain(300ms).empty());
  book.answered(0, Answer::good, 100s + 100ms);
  book.advance(105s, 105s);
  CHECK(book.drain(300ms).at(0).bad == 0);
}

TEST_CASE("requests that nobody took on in time are not sent, and are neither good nor bad") {
  auto book = ledger(10);
  book.advance(100s);
  REQUIRE(book.take(0, 100s));
  book.answered(0, Answer::good, 100s + 10ms);
  book.make_due(103s);  // the runner stood still for 3 s
  std::uint64_t taken = 0;
  for (std::uint64_t i = 1; i < book.due(); ++i)
    if (book.take(i, 103s)) {
      ++taken;
      book.answered(i, Answer::good, 103s + 10ms);
    }
  book.advance(103s + 200ms);
  const auto slices = book.drain(300ms);
  REQUIRE(slices.size() == 3);
  CHECK(taken == 6);  // of the last half second
  for (const auto& slice : slices) {
    CHECK(slice.bad == 0);
    CHECK(slice.state == guard::Freshness::partial);
    CHECK(slice.problem.find("stood still") != std::string::npos);
    CHECK(slice.total + slice.ours == 10);
  }
  CHECK(slices[1].total == 0);
  CHECK(*slices[1].missing == 1);
  CHECK(book.summary().bad == 0);
}

TEST_CASE("a slow answer is not the service's fault as far as the runner held its request up") {
  auto book = ledger(1);
  book.make_due(100s);
  REQUIRE(book.take(0, 100s + 400ms));
  book.answered(0, Answer::good, 100s + 500ms);  // the service took 100 ms
  book.make_due(101s);
  REQUIRE(book.take(1, 101s + 400ms));
  book.answered(1, Answer::good, 101s + 900ms);  // and here half a second
  book.advance(102s - 1ns);
  const auto slices = book.drain(300ms);
  REQUIRE(slices.size() == 1);
  CHECK(slices[0].bad == 0);
  CHECK(slices[0].ours == 1);
  CHECK(book.summary().bad == 1);
}

TEST_CASE("a varying rate: each second holds its own requests, and all close") {
  spec::Load load;
  load.rate = {1};
  load.arrivals.stages = {{{99}, 10s}};
  Ledger book({.name = "x",
               .next = [schedule = Schedule(load)]() mutable { return schedule.next(); },
               .latencies = {300ms},
               .timeout = 2s,
               .epoch = 90s,
               .start = 100s});
  std::uint64_t answered = 0;
  for (int i = 1; i <= 130; ++i) {
    const Duration now = 100s + i * 100ms;
    book.advance(now);
    for (; answered < book.due(); ++answered)
      if (answered % 10 != 0) book.answered(answered, Answer::good, now);
  }
  const auto slices = book.drain(300ms);
  REQUIRE(slices.size() == 12);
  std::uint64_t total = 0, bad = 0;
  for (std::size_t i = 0; i < 10; ++i) {
    CHECK(static_cast<double>(slices[i].total) == doctest::Approx(1 + 9.8 * (static_cast<double>(i) + 0.5)).epsilon(0.15));
    total += slices[i].total;
    bad += slices[i].bad;
  }
  CHECK(total == 500);
  CHECK(bad == 50);
  CHECK(slices[11].total == 99);
}

TEST_CASE("a record that has ended leaves seconds without a request") {
  spec::Load load;
  load.arrivals.record = {0s, 500ms};
  Ledger book({.name = "x",
               .next = [schedule = Schedule(load)]() mutable { return schedule.next(); },
               .latencies = {300ms},
               .timeout = 2s,
               .epoch = 90s,
               .start = 100s});
  answer_all(book, 100s + 510ms);
  book.advance(103s);
  const auto slices = book.drain(300ms);
  REQUIRE(slices.size() == 3);
  CHECK(slices[0].total == 2);
  CHECK(slices[2].total == 0);
  CHECK_FALSE(book.next_intended());
}

TEST_CASE("why answers failed is counted") {
  auto book = ledger(4);
  book.advance(101s);
  book.answered(0, Answer::failed, 100s, "HTTP 503");
  book.answered(1, Answer::failed, 100s, "HTTP 503");
  book.answered(2, Answer::timed_out, 100s, "timeout");
  book.answered(3, Answer::good, 100s);
  CHECK(book.summary().failures == std::map<std::string, std::uint64_t>{{"HTTP 503", 2}, {"timeout", 1}});
}

TEST_CASE("the histogram's quantiles are within 1/64, from a microsecond to an hour") {
  for (const Duration value :
       {Duration(1us), Duration(63us), Duration(64us), Duration(1ms), Duration(123456us), Duration(59min), Duration(1h)}) {
    Histogram histogram;
    histogram.add(value);
    const double ratio = seconds(histogram.quantile(0.5)) / seconds(value);
    CHECK(ratio >= 1 - 1.0 / 64);
    CHECK(ratio <= 1 + 1.0 / 64);
  }
  Histogram histogram, other;
  CHECK(histogram.quantile(0.99) == 0ns);
  for (int i = 1; i <= 50; ++i) histogram.add(i * 1ms);
  for (int i = 51; i <= 100; ++i) other.add(i * 1ms);
  histogram.merge(other);
  CHECK(histogram.count() == 100);
  CHECK(seconds(histogram.quantile(0.5)) == doctest::Approx(0.050).epsilon(0.016));
  CHECK(seconds(histogram.quantile(0.99)) == doctest::Approx(0.099).epsilon(0.016));
  CHECK(seconds(histogram.quantile(1)) == doctest::Approx(0.100).epsilon(0.016));
  histogram.add(-5ms);
  histogram.add(100h);
  CHECK(histogram.quantile(1) <= 61min);
}
