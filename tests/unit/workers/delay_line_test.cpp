#include "agent/workers/delay_line.hpp"

#include <doctest/doctest.h>

#include <cstring>
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
