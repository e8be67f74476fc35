#include "agent/workers/delay_line.hpp"

#include <doctest/doctest.h>

#include <cstring>
#include <map>
#include <string>
#include <vector>

using namespace arashi;
using arashi::workers::DelayLine;
using namespace std::chrono_literals;

namespace {

constexpr std::size_t plenty = std::size_t{64} << 20U;

void put(DelayLine& line, const std::string& text, Duration now) {
  std::memcpy(line.room().data(), text.data(), text.size());
  line.accept(text.size(), now);
}

std::string take(DelayLine& line, Duration now) {
  const auto frame = line.front();
  std::string text(reinterpret_cast<const char*>(frame.data()), frame.size());
  line.release(now);
  return text;
}

}  // namespace

TEST_CASE("a frame is due its delay after it came, in the order of coming, byte for byte") {
  DelayLine line({.delay = 10ms}, 1, plenty);
  CHECK_FALSE(line.next_due().has_value());
  put(line, "one", 1s);
  put(line, "two", 1s);
  put(line, std::string(60000, 'x'), 1s + 1ms);
  CHECK(*line.next_due() == 1s + 10ms);
  CHECK(take(line, 1s + 10ms) == "one");
  CHECK(take(line, 1s + 10ms) == "two");
  CHECK(*line.next_due() == 1s + 11ms);
  CHECK(take(line, 1s + 12ms) == std::string(60000, 'x'));
  CHECK(line.counts().delivered == 3);
  CHECK(line.counts().held_sum == 10ms + 10ms + 11ms);
  CHECK(line.counts().held_most == 11ms);
}

TEST_CASE("jitter spreads the delay evenly and lets frames overtake") {
  DelayLine line({.delay = 10ms, .jitter = 4ms}, 7, plenty);
  for (int i = 0; i < 1000; ++i) put(line, "x", i * 1us);
  Duration last{};
  Duration sum{};
  for (int i = 0; i < 1000; ++i) {
    const auto due = *line.next_due();
    CHECK(due >= last);
    CHECK(due >= 6ms);
    CHECK(due <= 14ms + 1ms);
    sum += due;
    last = due;
    line.release(due);
  }
  CHECK(seconds(sum) / 1000 == doctest::Approx(0.0105).epsilon(0.03));
}

TEST_CASE("losses are as many as asked, and the same for the same seed") {
  const auto losses = [](std::uint64_t seed) {
    DelayLine line({.delay = 1ms, .loss = 0.2}, seed, plenty);
    std::vector<std::uint64_t> after;
    for (int i = 0; i < 5000; ++i) {
      put(line, "x", 0ms);
      after.push_back(line.counts().lost);
    }
    return after;
  };
  CHECK(losses(3) == losses(3));
  CHECK(losses(3) != losses(4));
  CHECK(losses(3).back() > 860);  // five standard deviations around 1000
  CHECK(losses(3).back() < 1140);
}

TEST_CASE("memory is bounded: what does not fit is dropped and counted") {
  DelayLine line({.delay = 1s}, 1, std::size_t{1} << 20U);
  for (int i = 0; i < 100000; ++i) put(line, "x", 0ms);
  CHECK(line.counts().held_now == 512);  // small frames take 2 KiB each
  CHECK(line.counts().overflow == 100000 - 512);
  line.release(1s);
  put(line, "y", 1s);
  CHECK(line.counts().held_now == 512);
}

TEST_CASE("duplicates arrive twice, each with a delay of its own, and are counted") {
  DelayLine line({.delay = 10ms, .jitter = 5ms, .duplicate = {0.5, 0}}, 3, plenty);
  for (int i = 0; i < 1000; ++i) put(line, std::to_string(i), 0ms);
  const auto twice = line.counts().duplicated;
  CHECK(twice > 420);
  CHECK(twice < 580);
  CHECK(line.counts().held_now == 1000 + twice);
  std::map<std::string, std::vector<Duration>> due;
  while (const auto next = line.next_due()) due[take(line, *next)].push_back(*next);
  CHECK(due.size() == 1000);
  std::size_t apart = 0;
  for (const auto& [text, times] : due) apart += times.size() == 2 && times[0] != times[1] ? 1U : 0U;
  CHECK(apart == twice);
}

TEST_CASE("large frames are duplicated whole") {
  DelayLine line({.delay = 10ms, .duplicate = {1, 0}}, 3, plenty);
  put(line, std::string(60000, 'x'), 0ms);
  CHECK(take(line, 10ms) == std::string(60000, 'x'));
  CHECK(take(line, 10ms) == std::string(60000, 'x'));
  CHECK_FALSE(line.next_due().has_value());
}

TEST_CASE("packets that overtake go at once, in their share, and with a gap at most each gap-th") {
  const auto overtaking = [](double share, std::uint32_t gap) {
    DelayLine line({.delay = 10ms, .reorder = {share, 0}, .gap = gap}, 3, plenty);
    for (int i = 0; i < 2000; ++i) {
      put(line, "x", 1s);
      if (line.next_due() == 1s) line.release(1s);
    }
    CHECK(line.counts().delivered == line.counts().overtaking);
    return line.counts().overtaking;
  };
  CHECK(overtaking(0.25, 1) > 400);
  CHECK(overtaking(0.25, 1) < 600);
  CHECK(overtaking(1, 5) == 400);
  CHECK(overtaking(1, 1) == 2000);
}

TEST_CASE("a ramp lets delay and loss grow from nothing to their values") {
  DelayLine line({.delay = 100ms, .loss = 0.5, .ramp = 10s}, 3, plenty, 1s);
  const auto at = [&line](Duration now) {
    const auto before = line.counts().lost;
    for (int i = 0; i < 1000; ++i) put(line, "x", now);
    const auto due = *line.next_due();
    while (line.next_due()) line.release(due);
    return std::pair{due - now, line.counts().lost - before};
  };
  CHECK(at(1s) == std::pair{Duration{}, std::uint64_t{0}});
  const auto half = at(6s);
  CHECK(half.first == 50ms);
  CHECK(half.second > 180);
  CHECK(half.second < 320);
  const auto whole = at(20s);
  CHECK(whole.first == 100ms);
  CHECK(whole.second > 420);
}

TEST_CASE("a rate spaces packets, delay comes behind it, and the limit bounds the queue") {
  DelayLine line({.delay = 5ms, .rate = {.bits_per_second = 8'000'000}, .limit = 4}, 3, plenty);
  const std::string thousand(1010, 'x');  // ten of it are the tap's own header
  for (int i = 0; i < 6; ++i) put(line, thousand, 1s);
  CHECK(line.counts().over_limit == 2);
  for (int i = 1; i <= 4; ++i) {
    CHECK(*line.next_due() == 1s + 5ms + i * 1ms);
    line.release(*line.next_due());
  }
  CHECK(line.counts().busiest_second == 4000);
}

TEST_CASE("slots let packets go together") {
  DelayLine line({.slot = Slot{.least = 20ms, .most = 20ms, .packets = 3}}, 3, plenty);
  for (int i = 0; i < 5; ++i) put(line, "x", 1s + i * 1ms);
  std::vector<Duration> gone;
  while (const auto next = line.next_due()) {
    gone.push_back(*next - 1s);
    line.release(*next);
  }
  CHECK(gone == std::vector<Duration>{20ms, 20ms, 20ms, 40ms, 40ms});
}

TEST_CASE("what the way to the line takes is taken off the delay, and never more than it") {
  DelayLine line({.delay = 10ms}, 3, plenty, {}, 50us);
  put(line, "x", 1s);
  CHECK(*line.next_due() == 1s + 10ms - 50us);
  DelayLine none({.loss = 0.1}, 3, plenty, {}, 50us);
  for (int i = 0; i < 3; ++i) put(none, "x", 1s);
  CHECK(*none.next_due() == 1s);
}
