// The messages are read here by a reader of its own, from the layouts in rtnetlink(7) and tc's source, not by our code.
#include "injector/network/netem_message.hpp"

#include <doctest/doctest.h>

#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

using namespace arashi;

namespace {

using Octets = std::vector<unsigned char>;

Octets octets(netlink::Bytes bytes) {
  Octets all(bytes.size());
  std::memcpy(all.data(), bytes.data(), bytes.size());
  return all;
}

template <class Number>
Number at(const Octets& bytes, std::size_t offset) {
  Number number{};
  REQUIRE(offset + sizeof number <= bytes.size());
  std::memcpy(&number, bytes.data() + offset, sizeof number);
  return number;
}

// Attributes from `start` on: {length, type} in host order, padded to 4. The nested flag (0x8000) is taken off the type.
Octets attribute(const Octets& bytes, std::size_t start, unsigned type) {
  for (std::size_t offset = start; offset + 4 <= bytes.size();) {
    const auto length = at<std::uint16_t>(bytes, offset);
    REQUIRE(length >= 4);
    REQUIRE(offset + length <= bytes.size());
    if ((at<std::uint16_t>(bytes, offset + 2) & 0x7fffU) == type)
      return {bytes.begin() + static_cast<std::ptrdiff_t>(offset) + 4, bytes.begin() + static_cast<std::ptrdiff_t>(offset + length)};
    offset += (length + 3U) & ~3U;
  }
  return {};
}

constexpr std::size_t behind_tcmsg = 16 + 20;  // nlmsghdr, tcmsg
std::string text(const Octets& bytes) { return {bytes.begin(), bytes.end()}; }

const Effects slow_and_lossy{.delay = std::chrono::milliseconds(100), .jitter = std::chrono::microseconds(10), .loss = 0.2};
Effects everything() {
  using namespace std::chrono_literals;
  return {.delay = 50ms,
          .jitter = 10ms,
          .delay_correlation = 0.25,
          .distribution = Shape::table,
          .table = {-8192, 0, 8192},
          .gilbert_elliott = GilbertElliott{0.01, 0.2, 0.9, 0.001},
          .duplicate = {0.02, 0},
          .corrupt = {0.03, 0},
          .reorder = {0.04, 0},
          .gap = 5,
          .rate = {.bits_per_second = 10'000'000, .packet_overhead = -4, .cell_size = 48, .cell_overhead = 5},
          .limit = 777,
          .slot = Slot{.least = 4ms, .most = 6ms, .packets = 16, .bytes = 65536}};
}

constexpr std::uint32_t handle = 0x40020000;

// What a kernel dumps about a netem qdisc: the request's own bytes with type RTM_NEWQDISC and no netlink header.
netlink::Reply dumped(const netlink::Message& message) {
  const auto bytes = message.bytes().subspan(16);
  return {36, std::vector(bytes.begin(), bytes.end())};
}

}  // namespace

TEST_CASE("the netem message carries delay, jitter, loss and limit where the kernel looks for them") {
  const auto bytes = octets(netem::add_netem(7, handle, slow_and_lossy, 42).bytes());
  CHECK(at<std::uint32_t>(bytes, 0) == bytes.size());
  CHECK(at<std::uint16_t>(bytes, 4) == 36);               // RTM_NEWQDISC
  CHECK((at<std::uint16_t>(bytes, 6) & 0x601) == 0x601);  // REQUEST, EXCL and CREATE: never replaces
  CHECK((at<std::uint16_t>(bytes, 6) & 0x100) == 0);
  CHECK(at<std::int32_t>(bytes, 20) == 7);
  CHECK(at<std::uint32_t>(bytes, 24) == 0x40020000);
  CHECK(at<std::uint32_t>(bytes, 28) == 0xffffffff);  // the fourth band
  CHECK(text(attribute(bytes, behind_tcmsg, 1)) == std::string("netem\0", 6));
  const auto options = attribute(bytes, behind_tcmsg, 2);
  CHECK(at<std::uint32_t>(options, 0) == 1562500);                        // ticks of 64 ns, for kernels before 4.15
  CHECK(at<std::uint32_t>(options, 4) == 20002);                          // packets: 200,000/s for 100.01 ms
  CHECK(at<std::uint32_t>(options, 8) == 858993459);                      // a fifth of 2^32-1
  CHECK(at<std::uint32_t>(options, 20) == 156);                           // 10 us in ticks
  CHECK(at<std::int64_t>(attribute(options, 24, 10), 0) == 100'000'000);  // TCA_NETEM_LATENCY64
  CHECK(at<std::int64_t>(attribute(options, 24, 11), 0) == 10'000);       // TCA_NETEM_JITTER64
  CHECK(at<std::uint64_t>(attribute(options, 24, 14), 0) == 42);          // TCA_NETEM_PRNG_SEED
}

TEST_CASE("the netem message carries the whole option set where the kernel looks for it") {
  const auto bytes = octets(netem::add_netem(7, handle, everything(), std::nullopt).bytes());
  const auto options = attribute(bytes, behind_tcmsg, 2);
  const auto word = [&](unsigned type, std::size_t index) { return at<std::uint32_t>(attribute(options, 24, type), index * 4); };
  const auto share = [](double fraction) { return doctest::Approx(fraction * 4294967295.0); };
  CHECK(at<std::uint32_t>(options, 4) == 777);                                     // limit
  CHECK(at<std::uint32_t>(options, 8) == 0);                                       // no random loss beside a model
  CHECK(at<std::uint32_t>(options, 12) == 5);                                      // gap
  CHECK(at<std::uint32_t>(options, 16) == share(0.02));                            // duplicate
  CHECK(word(1, 0) == share(0.25));                                                // CORR: delay
  CHECK(word(3, 0) == share(0.04));                                                // REORDER
  CHECK(word(4, 0) == share(0.03));                                                // CORRUPT
  const auto loss = attribute(attribute(options, 24, 5), 0, 2);                    // LOSS: Gilbert-Elliott
  CHECK(at<std::uint32_t>(loss, 0) == share(0.01));                                // p
  CHECK(at<std::uint32_t>(loss, 4) == share(0.2));                                 // r
  CHECK(at<std::uint32_t>(loss, 8) == share(0.1));                                 // h
  CHECK(at<std::uint32_t>(loss, 12) == share(0.001));                              // 1-k
  CHECK(word(6, 0) == 1'250'000);                                                  // RATE: bytes per second
  CHECK(at<std::int32_t>(attribute(options, 24, 6), 4) == -4);                     // packet overhead
  CHECK(word(6, 2) == 48);                                                         // cell size
  CHECK(at<std::int32_t>(attribute(options, 24, 6), 12) == 5);                     // cell overhead
  CHECK(attribute(options, 24, 8).empty());                                        // RATE64 only beyond 32 bits
  CHECK(at<std::int64_t>(attribute(options, 24, 12), 0) == 4'000'000);             // SLOT: least
  CHECK(at<std::int64_t>(attribute(options, 24, 12), 8) == 6'000'000);             // most
  CHECK(at<std::int32_t>(attribute(options, 24, 12), 16) == 16);                   // packets
  CHECK(at<std::int32_t>(attribute(options, 24, 12), 20) == 65536);                // bytes
  CHECK(attribute(options, 24, 2) == Octets{0x00, 0xe0, 0x00, 0x00, 0x00, 0x20});  // DELAY_DIST: -8192, 0, 8192
  const auto fast = octets(netem::add_netem(7, handle, {.rate = {.bits_per_second = 80'000'000'000}}, std::nullopt).bytes());
  CHECK(at<std::uint64_t>(attribute(attribute(fast, behind_tcmsg, 2), 24, 8), 0) == 10'000'000'000);
}

TEST_CASE("correlated losses become the two states that have exactly their share and correlation") {
  const auto settings = netem::settings_for({.loss = 0.2, .loss_correlation = 0.5});
  CHECK(settings.loss == 0);
  REQUIRE(settings.gilbert_elliott.has_value());
  const double p = (*settings.gilbert_elliott)[0] / 4294967295.0;
  const double r = (*settings.gilbert_elliott)[1] / 4294967295.0;
  CHECK(p / (p + r) == doctest::Approx(0.2));  // stationary share
  CHECK(1 - p - r == doctest::Approx(0.5));    // correlation of a two-state chain
}

TEST_CASE("a correlated chance gets the threshold that netem's own numbers stay below in its share") {
  const auto threshold = netem::settings_for({.duplicate = {0.1, 0.5}}).duplicate;
  std::uint32_t last = 0;  // netem's get_crandom, from its description: a moving mean of even numbers
  std::mt19937 random(3);
  int below = 0;
  constexpr int count = 200000;
  for (int i = 0; i < count; ++i) {
    last = static_cast<std::uint32_t>((static_cast<std::uint64_t>(random()) + last) / 2);
    below += last <= threshold ? 1 : 0;
  }
  CHECK(below / static_cast<double>(count) == doctest::Approx(0.1).epsilon(0.03));
  CHECK(threshold > 4294967295U / 10);  // without this it would be too few
}

TEST_CASE("netem is the root of its device, and no seed is sent where none is asked for") {
  const auto bytes = octets(netem::add_netem(9, handle, slow_and_lossy, std::nullopt).bytes());
  CHECK(at<std::uint32_t>(bytes, 28) == 0xffffffff);
  CHECK(attribute(attribute(bytes, behind_tcmsg, 2), 24, 14).empty());
}

TEST_CASE("a pair of devices has both names and takes packets of any size") {
  const auto bytes = octets(netem::add_pair("near0", "far0").bytes());
  CHECK(at<std::uint16_t>(bytes, 4) == 16);                 // RTM_NEWLINK
  CHECK((at<std::uint16_t>(bytes, 6) & 0x600U) == 0x600U);  // NLM_F_CREATE, NLM_F_EXCL
  const auto info = attribute(bytes, 32, 18);               // behind ifinfomsg: IFLA_LINKINFO
  CHECK(text(attribute(info, 0, 1)) == std::string("veth\0", 5));
  const auto peer = attribute(attribute(info, 0, 2), 0, 1);  // VETH_INFO_PEER: an ifinfomsg of its own before the attributes
  CHECK(text(attribute(bytes, 32, 3)) == std::string("near0\0", 6));
  CHECK(text(attribute(peer, 16, 3)) == std::string("far0\0", 5));
  for (const auto& mtu : {attribute(bytes, 32, 4), attribute(peer, 16, 4)}) CHECK(at<std::uint32_t>(mtu, 0) == 65535);
}

TEST_CASE("a rate with a burst is a tbf with netem below it, and is read back") {
  const LinkRate rate{.bits_per_second = 4'000'000, .burst = 50'000};
  const auto found = netem::standing(dumped(netem::add_tbf(7, handle, rate)));
  REQUIRE(found.has_value());
  CHECK(found->kind == "tbf");
  CHECK(found->parent == 0xffffffff);
  CHECK(found->handle == handle);
  CHECK(found->bytes_per_second == 500'000);
  const auto bytes = octets(netem::add_tbf(7, handle, rate).bytes());
  CHECK(at<std::uint32_t>(attribute(attribute(bytes, behind_tcmsg, 2), 0, 6), 0) == 50'000);  // TCA_TBF_BURST
  const Effects effects{.delay = std::chrono::milliseconds(5), .rate = rate};
  const auto below = netem::standing(dumped(netem::add_netem(7, handle, effects, std::nullopt)));
  REQUIRE(below.has_value());
  CHECK(below->parent == (handle | 1U));
  CHECK(below->handle == handle + 0x10000);
  CHECK(below->settings.bytes_per_second == 0);
}

TEST_CASE("what was asked of netem is read back from a dump exactly") {
  for (const Effects& asked :
       {slow_and_lossy, Effects{}, Effects{.delay = Duration(1), .jitter = Duration(1), .loss = 1},
        Effects{.delay = std::chrono::seconds(60), .jitter = Duration(std::numeric_limits<std::int32_t>::max()), .loss = 1e-9},
        everything(), Effects{.loss = 0.1, .loss_correlation = 0.3}, Effects{.four_state = FourState{0.1, 0.5, 0.3, 0.4, 0.02}},
        Effects{.rate = {.bits_per_second = 100'000'000'000}},
        Effects{.slot = Slot{.shape = Shape::normal, .delay = std::chrono::milliseconds(5), .jitter = std::chrono::milliseconds(1)}}}) {
    const auto found = netem::standing(dumped(netem::add_netem(7, handle, asked, std::nullopt)));
    REQUIRE(found.has_value());
    CHECK(found->kind == "netem");
    CHECK(found->device == 7);
    CHECK(found->handle == handle);
    CHECK(found->parent == 0xffffffff);
    CHECK(found->settings.delay == asked.delay);
    CHECK(found->settings.jitter == asked.jitter);
    CHECK(found->settings == netem::settings_for(asked));
  }
}

TEST_CASE("netem that does something else than asked is told apart") {
  const auto asked = netem::settings_for(everything());
  const auto changed = [](auto change) {
    auto effects = everything();
    change(effects);
    return netem::settings_for(effects);
  };
  CHECK(asked != changed([](Effects& effects) { effects.delay += Duration(1); }));
  CHECK(asked != changed([](Effects& effects) { effects.jitter = Duration{}; }));
  CHECK(asked != changed([](Effects& effects) { effects.gilbert_elliott->p += 1e-6; }));
  CHECK(asked != changed([](Effects& effects) { effects.duplicate.share += 1e-6; }));
  CHECK(asked != changed([](Effects& effects) { effects.rate.bits_per_second += 8; }));
  CHECK(asked != changed([](Effects& effects) { effects.slot->packets += 1; }));
}

TEST_CASE("a cut or foreign dump is read without harm") {
  const auto whole = netem::add_netem(7, handle, slow_and_lossy, 42);
  const auto bytes = whole.bytes().subspan(16);
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    const auto part = bytes.first(length);
    const auto found = netem::standing({36, std::vector(part.begin(), part.end())});
    REQUIRE(found.has_value());
    CHECK_FALSE((found->kind == "netem" && length < 60 && found->settings == netem::settings_for(slow_and_lossy)));
  }
  CHECK_FALSE(netem::standing({20, {}}).has_value());
}

TEST_CASE("jitter beyond what netem can hold is refused with the limit") {
  CHECK(netem::can_hold(slow_and_lossy).has_value());
  const auto refused = netem::can_hold({.delay = std::chrono::seconds(5), .jitter = std::chrono::seconds(3), .loss = 0});
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().blame == Blame::unsupported);
  CHECK(refused.error().message.find("2.147483647s") != std::string::npos);
}

TEST_CASE("what netem does not know is refused with the reason") {
  for (const auto& [effects, part] :
       {std::pair{Effects{.rate = {.bits_per_second = 8000, .burst = 1500}, .ramp = std::chrono::seconds(1)}, "ramp"},
        std::pair{Effects{.delay = Duration(1), .jitter = Duration(1), .delay_correlation = 0.5}, "correlation"},
        std::pair{Effects{.rate = {.bits_per_second = 8000, .packet_overhead = 4, .burst = 1500}}, "burst"}}) {
    const auto refused = netem::can_hold(effects);
    REQUIRE_FALSE(refused.has_value());
    CHECK(refused.error().blame == Blame::unsupported);
    CHECK(refused.error().message.find(part) != std::string::npos);
  }
}

TEST_CASE("the queue holds what arrives within the delay, within bounds, or what was asked") {
  CHECK(queue_limit({}) == 1000);
  CHECK(queue_limit({.delay = std::chrono::seconds(1)}) == 200000);
  CHECK(queue_limit({.delay = std::chrono::hours(1)}) == 1000000);
  CHECK(queue_limit({.delay = std::chrono::hours(1), .limit = 7}) == 7);
}

TEST_CASE("names and handles come from the injection's id and stay out of the kernel's own numbers") {
  for (const auto* id : {"abcd1234", "zzzzzzzz", "00000000", "k3v9x0qa"}) {
    const auto of_id = netem::handle_of(id);
    CHECK(of_id < 0x80000000);
    CHECK(of_id >= 0x40000000);
    CHECK((of_id & 0xffffU) == 0);
    CHECK(netem::end_name(id, 999, netem::End::near).size() <= 15);
    CHECK(netem::end_name(id, 1, netem::End::near) != netem::end_name(id, 1, netem::End::far));
    CHECK(netem::end_name(id, 1, netem::End::near) != netem::end_name(id, 2, netem::End::near));
  }
  CHECK(netem::handle_of("abcd1234") != netem::handle_of("abcd1235"));
}
