// The tap engine's models against what the maths says of them; bounds are five standard deviations, and seeds are fixed.
#include "agent/workers/chances.hpp"
#include "agent/workers/delay_model.hpp"
#include "agent/workers/frame.hpp"
#include "agent/workers/rate_shaper.hpp"
#include "agent/workers/slots.hpp"
#include "injector/network/delay_distribution.hpp"

#include <doctest/doctest.h>
#include <linux/if_ether.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <map>

using namespace arashi;
using namespace arashi::workers;
using namespace std::chrono_literals;

namespace {

struct Counted {
  double share = 0, correlation = 0, mean_burst = 0;
};

template <class Event>
Counted count(Event event, int steps = 400000) {
  std::vector<int> happened(static_cast<std::size_t>(steps));
  for (auto& one : happened) one = event() ? 1 : 0;
  double sum = 0;
  double both = 0;
  double bursts = 0;
  for (std::size_t i = 0; i < happened.size(); ++i) {
    sum += happened[i];
    if (i > 0 && happened[i] == 1 && happened[i - 1] == 1) ++both;
    if (happened[i] == 1 && (i == 0 || happened[i - 1] == 0)) ++bursts;
  }
  const double share = sum / steps;
  return {share, (both / steps - share * share) / (share * (1 - share)), sum / std::max(1.0, bursts)};
}

std::vector<double> delays(DelayModel model, int steps = 100000) {
  Random random(11);
  std::vector<double> all;
  all.reserve(static_cast<std::size_t>(steps));
  for (int i = 0; i < steps; ++i) all.push_back(seconds(model.draw_delay(random, 1)));
  return all;
}

double mean(const std::vector<double>& values) {
  double sum = 0;
  for (const auto value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

double deviation(const std::vector<double>& values) {
  const double middle = mean(values);
  double squares = 0;
  for (const auto value : values) squares += (value - middle) * (value - middle);
  return std::sqrt(squares / static_cast<double>(values.size()));
}

double correlation(const std::vector<double>& values) {
  const double middle = mean(values);
  double products = 0;
  for (std::size_t i = 1; i < values.size(); ++i) products += (values[i] - middle) * (values[i - 1] - middle);
  return products / static_cast<double>(values.size()) / std::pow(deviation(values), 2);
}

// Kolmogorov-Smirnov: the largest distance between the share of values below x and the distribution asked for.
template <class Distribution>
double distance(std::vector<double> values, Distribution below) {
  std::sort(values.begin(), values.end());
  double most = 0;
  for (std::size_t i = 0; i < values.size(); ++i)
    most = std::max(most, std::abs(static_cast<double>(i) / static_cast<double>(values.size()) - below(values[i])));
  return most;
}

}  // namespace

TEST_CASE("a correlated event has exactly its share and its correlation") {
  for (const auto& [share, kept] : {std::pair{0.2, 0.0}, std::pair{0.2, 0.5}, std::pair{0.01, 0.9}, std::pair{0.5, 0.25}}) {
    Random random(5);
    CorrelatedEvent event({share, kept});
    const auto counted = count([&] { return event.happens(random); });
    CHECK(counted.share == doctest::Approx(share).epsilon(kept > 0.8 ? 0.3 : 0.03));
    CHECK(std::abs(counted.correlation - kept) < 0.02);
  }
}

TEST_CASE("Gilbert-Elliott has its share of losses and its length of bursts") {
  Random random(5);
  LossModel model({.gilbert_elliott = GilbertElliott{.p = 0.01, .r = 0.25}});
  const auto counted = count([&] { return model.loses(random, 1); });
  CHECK(counted.share == doctest::Approx(0.01 / 0.26).epsilon(0.05));
  CHECK(counted.mean_burst == doctest::Approx(4).epsilon(0.05));  // 1 / r
  LossModel leaky({.gilbert_elliott = GilbertElliott{0.05, 0.2, 0.5, 0.01}});
  CHECK(count([&] { return leaky.loses(random, 1); }).share == doctest::Approx(0.2 * 0.5 + 0.8 * 0.01).epsilon(0.05));
}

TEST_CASE("the four states have their share of losses, and single ones are single") {
  Random random(5);
  const Effects effects{.four_state = FourState{0.02, 0.3, 0.2, 0.4, 0.01}};
  LossModel model(effects);
  CHECK(count([&] { return model.loses(random, 1); }).share == doctest::Approx(long_run_loss(effects)).epsilon(0.05));
  LossModel alone({.four_state = FourState{.p13 = 0, .p14 = 0.3}});
  CHECK(count([&] { return alone.loses(random, 1); }).mean_burst == 1);
}

TEST_CASE("a loss that is half grown loses half") {
  Random random(5);
  LossModel model({.loss = 0.4});
  CHECK(count([&] { return model.loses(random, 0.5); }).share == doctest::Approx(0.2).epsilon(0.03));
  CHECK(count([&] { return model.loses(random, 0); }, 1000).share == 0);
}

TEST_CASE("delays have the mean, the spread and the shape asked for, with and without correlation") {
  constexpr double ks_bound = 0.0087;  // of 100,000 values: sqrt(-ln(1e-6 / 2) / 2 / n)
  for (const double kept : {0.0, 0.7}) {
    INFO("correlation ", kept);
    // Values that depend on each other say less: as many as n (1 - kept) / (1 + kept) independent ones.
    const double bound = ks_bound * std::sqrt((1 + kept) / (1 - kept));
    const auto uniform = delays(DelayModel({.mean = 100ms, .jitter = 20ms, .correlation = kept}));
    CHECK(mean(uniform) == doctest::Approx(0.1).epsilon(0.005));
    CHECK(distance(uniform, [](double x) { return std::clamp((x - 0.08) / 0.04, 0.0, 1.0); }) < bound);
    CHECK(std::abs(correlation(uniform) - kept) < 0.03);
    const auto normal = delays(DelayModel({.mean = 100ms, .jitter = 20ms, .shape = Shape::normal, .correlation = kept}));
    CHECK(deviation(normal) == doctest::Approx(0.02).epsilon(0.02));
    CHECK(distance(normal, [](double x) { return normal_probability((x - 0.1) / 0.02); }) < bound);
    for (const auto shape : {Shape::pareto, Shape::paretonormal}) {
      const auto skewed = delays(DelayModel({.mean = 100ms, .jitter = 20ms, .shape = shape, .correlation = kept}));
      CHECK(mean(skewed) == doctest::Approx(0.1).epsilon(0.01));
      CHECK(deviation(skewed) == doctest::Approx(0.02).epsilon(0.05));
      const auto table = delay_table(shape);
      const auto below = [&table](double x) {
        const auto place = std::lower_bound(table.begin(), table.end(), (x - 0.1) / 0.02 * table_scale);
        return static_cast<double>(place - table.begin()) / static_cast<double>(table.size());
      };
      // What the table's end cuts off lies on one value there, which is a step for both.
      CHECK(distance(skewed, below) < bound + 0.012);
    }
  }
}

TEST_CASE("a user's table is drawn from as it is, and a delay is never negative") {
  std::map<std::int64_t, int> seen;
  DelayModel model({.mean = 10ms, .jitter = 8ms, .shape = Shape::table, .table = {-32768, 0, 8192}});
  Random random(3);
  for (int i = 0; i < 3000; ++i) ++seen[model.draw_delay(random, 1).count()];
  REQUIRE(seen.size() == 3);
  CHECK(seen.begin()->first == 0);  // 10 - 4 * 8 ms
  CHECK(seen[10'000'000] > 850);
  CHECK(seen[18'000'000] > 850);
  CHECK(DelayModel({.mean = 10ms}).draw_delay(random, 0.25) == 2500us);
}

TEST_CASE("a link lets packets through one after the other, at its rate") {
  RateShaper link({.bits_per_second = 8'000'000});  // a byte each microsecond
  CHECK(link.through(1s, 1000, 1) == 1s + 1ms);
  CHECK(link.through(1s, 500, 1) == 1s + 1500us);
  CHECK(link.through(2s, 500, 1) == 2s + 500us);  // rested
  CHECK(link.through(2s, 500, 0.5) == 2s + 750us);
  CHECK(link.through(3s, 500, 0) == 3s);  // a ramp begins without a limit
}

TEST_CASE("a burst goes at once after a rest, and then the rate holds") {
  RateShaper link({.bits_per_second = 8'000'000, .burst = 3000});
  for (int i = 0; i < 3; ++i) CHECK(link.through(1s, 1000, 1) == 1s);
  CHECK(link.through(1s, 1000, 1) == 1s + 1ms);
  CHECK(link.through(1s, 1000, 1) == 1s + 2ms);
  CHECK(link.through(1s + 3ms, 1000, 1) == 1s + 3ms);
}

TEST_CASE("overheads and cells cost what they cost on the link") {
  CHECK(RateShaper({.bits_per_second = 1, .packet_overhead = 20}).cost(100) == 120);
  CHECK(RateShaper({.bits_per_second = 1, .packet_overhead = -200}).cost(100) == 0);
  const RateShaper cells({.bits_per_second = 1, .packet_overhead = 8, .cell_size = 48, .cell_overhead = 5});  // ATM
  CHECK(cells.cost(40) == 53);
  CHECK(cells.cost(41) == 106);
  CHECK(cells.cost(1492) == 32 * 53);
}

TEST_CASE("slots open after their time and take so many packets") {
  Random random(1);
  Slots slots({.least = 10ms, .most = 10ms, .packets = 2});
  slots.first_is_due(1s, 1s, random);
  CHECK(slots.opens() == 1s + 10ms);
  slots.first_is_due(1s + 5ms, 1s + 5ms, random);  // comes in time for the slot
  CHECK(slots.opens() == 1s + 10ms);
  slots.gone(100, 1s + 10ms, random);
  CHECK(slots.opens() == 1s + 10ms);
  slots.gone(100, 1s + 10ms, random);
  CHECK(slots.opens() == 1s + 20ms);  // full: the next one
  slots.first_is_due(1s + 25ms, 1s + 12ms, random);
  CHECK(slots.opens() == 1s + 35ms);  // goes by empty, and the next begins with the packet
  Slots bytes({.least = 10ms, .most = 10ms, .bytes = 150});
  bytes.first_is_due(1s, 1s, random);
  bytes.gone(100, 1s + 10ms, random);
  CHECK(bytes.opens() == 1s + 10ms);
  bytes.gone(100, 1s + 10ms, random);
  CHECK(bytes.opens() == 1s + 20ms);
}

TEST_CASE("slots lie between their least and most time apart") {
  Random random(1);
  Slots slots({.least = 4ms, .most = 6ms, .packets = 1});
  Duration now = 1s;
  slots.first_is_due(now, now, random);
  for (int i = 0; i < 1000; ++i) {
    const auto opened = slots.opens();
    CHECK(opened - now >= 4ms);
    CHECK(opened - now <= 6ms);
    now = opened;
    slots.gone(1, now, random);
  }
}

namespace {

std::vector<std::byte> frame(unsigned ethertype, std::size_t length, LargeSegment header = {}) {
  std::vector<std::byte> bytes(sizeof header + length);
  std::memcpy(bytes.data(), &header, sizeof header);
  bytes[sizeof header + ETH_HLEN - 2] = static_cast<std::byte>(ethertype >> 8U);
  bytes[sizeof header + ETH_HLEN - 1] = static_cast<std::byte>(ethertype & 0xffU);
  if (ethertype == ETH_P_IP) bytes[sizeof header + ETH_HLEN] = std::byte{0x45};
  return bytes;
}

}  // namespace

TEST_CASE("a large segment is as long as the packets that it will be cut into") {
  CHECK(wire_length(frame(ETH_P_IP, 98)) == 98);
  LargeSegment large;
  large.kind = tcp_v4_segment;
  large.packet = 1448;
  large.checksum_start = 34;
  auto segment = frame(ETH_P_IP, 66 + 10 * 1448 + 1, large);
  segment[sizeof large + 34 + 12] = std::byte{0x80};  // 32 bytes of TCP header
  CHECK(wire_length(segment) == 11 * 66 + 10 * 1448 + 1);
  CHECK(wire_length(std::vector<std::byte>(3)) == 3);
}

TEST_CASE("one bit is turned, anywhere behind the IP header and nowhere else") {
  Random random(9);
  for (const auto& [type, start] : {std::pair{unsigned{ETH_P_IP}, 34}, std::pair{unsigned{ETH_P_IPV6}, 54}}) {
    const auto whole = frame(type, 60);
    std::vector<int> turned(whole.size());
    for (int i = 0; i < 2000; ++i) {
      auto changed = whole;
      REQUIRE(corrupt_bit(changed, random));
      int bits = 0;
      for (std::size_t at = 0; at < whole.size(); ++at) {
        const int here = std::popcount(std::to_integer<unsigned>(whole[at] ^ changed[at]));
        bits += here;
        turned[at] += here;
      }
      CHECK(bits == 1);
    }
    const auto first = static_cast<std::size_t>(start) + sizeof(LargeSegment);
    CHECK(std::all_of(turned.begin(), turned.begin() + static_cast<std::ptrdiff_t>(first), [](int count) { return count == 0; }));
    CHECK(std::all_of(turned.begin() + static_cast<std::ptrdiff_t>(first), turned.end(), [](int count) { return count > 0; }));
  }
  auto empty = frame(ETH_P_IP, 34);
  CHECK_FALSE(corrupt_bit(empty, random));
}
