// What a network fault does to a packet that it hits: netem's whole set, in netem's terms (tc-netem(8)). Pure.
#pragma once

#include "injector/core/json_fwd.hpp"
#include "injector/core/keys.hpp"
#include "injector/core/result.hpp"
#include "injector/core/units.hpp"

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace arashi {

// How a delay varies: `uniform` by at most the jitter either way; the others have the jitter as their standard deviation, and the delay as
// their mean. `table` is a user's: samples of 16 bits, 8192 for one jitter, of which each is as likely (netem's .dist files).
enum class Shape : std::uint8_t { uniform, normal, pareto, paretonormal, table };
std::string_view name_of(Shape shape);
Result<Shape> shape_named(std::string_view name);

template <>
struct AsText<Shape> {
  static std::string print(Shape shape) { return std::string(name_of(shape)); }
  static Result<Shape> parse(std::string_view text) { return shape_named(text); }
};

// How many of the packets, and how much the fate of one depends on that of the packet before it (0: not at all).
struct Chance {
  double share = 0, correlation = 0;
  bool operator==(const Chance&) const = default;
  static constexpr auto keys = std::tuple(key("share", &Chance::share), key("correlation", &Chance::correlation));
};

// Two states, changed by each packet; p: good to bad, r: back; what share is lost in the bad and in the good one (1-h and 1-k).
struct GilbertElliott {
  double p = 0, r = 1, lost_in_bad = 1, lost_in_good = 0;
  bool operator==(const GilbertElliott&) const = default;
  static constexpr auto keys = std::tuple(key("p", &GilbertElliott::p), key("r", &GilbertElliott::r),
                                          key("lostInBad", &GilbertElliott::lost_in_bad), key("lostInGood", &GilbertElliott::lost_in_good));
};

// netem's "state": 1 received in a gap, 2 received in a burst, 3 lost in a burst, 4 lost alone in a gap.
struct FourState {
  double p13 = 0, p31 = 1, p32 = 0, p23 = 1, p14 = 0;
  bool operator==(const FourState&) const = default;
  static constexpr auto keys = std::tuple(key("p13", &FourState::p13), key("p31", &FourState::p31), key("p32", &FourState::p32),
                                          key("p23", &FourState::p23), key("p14", &FourState::p14));
};

struct LinkRate {
  std::uint64_t bits_per_second = 0;  // 0: no limit
  std::int32_t packet_overhead = 0;   // bytes for each packet, on top of its Ethernet frame
  std::uint32_t cell_size = 0;        // a packet takes whole cells of so many bytes
  std::int32_t cell_overhead = 0;     // bytes for each cell
  std::uint64_t burst = 0;            // bytes that may go at once after a rest
  bool operator==(const LinkRate&) const = default;
  static constexpr auto keys =
      std::tuple(key("bits", &LinkRate::bits_per_second), key("packetOverhead", &LinkRate::packet_overhead),
                 key("cellSize", &LinkRate::cell_size), key("cellOverhead", &LinkRate::cell_overhead), key("burst", &LinkRate::burst));
};

// Packets go in slots: after a time between least and most (or delay ± jitter of a shape), so many packets or bytes at once (0: all).
struct Slot {
  Duration least{}, most{};
  std::optional<Shape> shape;  // then delay and jitter, and not least and most
  Duration delay{}, jitter{};
  std::uint32_t packets = 0;
  std::uint64_t bytes = 0;
  bool operator==(const Slot&) const = default;
  static constexpr auto keys =
      std::tuple(key("least", &Slot::least), key("most", &Slot::most), key("shape", &Slot::shape), key("delay", &Slot::delay),
                 key("jitter", &Slot::jitter), key("packets", &Slot::packets), key("bytes", &Slot::bytes));
};

struct Effects {
  Duration delay{};                               // one way, for each direction that is hit
  Duration jitter{};                              // never more than delay
  double loss = 0;                                // fraction; 1 is a partition
  double delay_correlation = 0;                   // of one packet's delay with the one before
  Shape distribution = Shape::uniform;            // of the jitter
  std::vector<std::int16_t> table;                // for Shape::table
  double loss_correlation = 0;                    // of `loss`
  std::optional<GilbertElliott> gilbert_elliott;  // instead of `loss`
  std::optional<FourState> four_state;            // instead of `loss`
  Chance duplicate, corrupt;
  Chance reorder;         // go at once, before those that are delayed
  std::uint32_t gap = 0;  // with reorder: only each gap-th packet may
  LinkRate rate;
  std::uint32_t limit = 0;  // packets that may wait; 0: the backend's own
  std::optional<Slot> slot;
  Duration ramp{};  // delay, jitter, loss and rate grow from nothing to their values over this time
  bool operator==(const Effects&) const = default;
  static constexpr auto keys =
      std::tuple(key("delay", &Effects::delay), key("jitter", &Effects::jitter), key("loss", &Effects::loss),
                 key("delayCorrelation", &Effects::delay_correlation), key("distribution", &Effects::distribution),
                 key("table", &Effects::table), key("lossCorrelation", &Effects::loss_correlation),
                 key("gemodel", &Effects::gilbert_elliott), key("lossState", &Effects::four_state), key("duplicate", &Effects::duplicate),
                 key("corrupt", &Effects::corrupt), key("reorder", &Effects::reorder), key("gap", &Effects::gap),
                 key("rate", &Effects::rate), key("limit", &Effects::limit), key("slot", &Effects::slot), key("ramp", &Effects::ramp));
  [[nodiscard]] bool holds() const;    // whether a packet may have to wait: what a filter can't do
  [[nodiscard]] bool loses() const;    // by whichever model
  [[nodiscard]] bool chances() const;  // whether it loses, duplicates, corrupts or reorders: fates of single packets
};

// Share of packets that the models lose in the long run.
double long_run_loss(const Effects& effects);

// netem's own limit where none is given, or as many packets as wait at 200,000 a second.
std::uint32_t queue_limit(const Effects& effects);

// Reads delay … ramp from canonical parameters (effects_params.hpp); refuses what contradicts itself or does nothing.
Result<Effects> effects_from_params(const Json& canonical);

}  // namespace arashi
