// Holds frames until they are due and lets the other effects happen to them: the arithmetic of the tap engine. Pure: frames and times go
// in, frames come out.
#pragma once

#include "agent/workers/chances.hpp"
#include "agent/workers/delay_model.hpp"
#include "agent/workers/rate_shaper.hpp"
#include "agent/workers/slots.hpp"
#include "injector/core/units.hpp"
#include "injector/network/effects.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

namespace arashi::workers {

struct DelayCounts {
  std::uint64_t taken = 0, lost = 0, delivered = 0;  // frames
  std::uint64_t overflow = 0;                        // dropped, as no memory was left to hold them
  std::uint64_t over_limit = 0;                      // dropped, as `limit` were waiting
  std::uint64_t duplicated = 0, corrupted = 0;
  std::uint64_t overtaking = 0;      // sent at once, before those that wait
  Duration held_sum{}, held_most{};  // of the delivered ones
  std::uint64_t held_now = 0;
  std::uint64_t busiest_second = 0;  // the most bytes on the wire in a whole second
};

class DelayLine {
 public:
  static constexpr std::size_t longest_frame = 66000;  // the largest GSO frame with Ethernet and virtio headers

  // memory: most bytes that frames may take. begin: when a ramp begins. path: what the way to us and back takes of a delay by itself.
  DelayLine(const Effects& effects, std::optional<std::uint64_t> seed, std::size_t memory, Duration begin = {}, Duration path = {});

  // Where the next frame is to be read to; accept() takes it from there.
  std::span<std::byte> room();
  // `length` bytes of room() arrived at `now`. They are lost by chance, dropped for want of room, or held; once, or twice.
  void accept(std::size_t length, Duration now);

  // When the next frame is due; nothing when none is held.
  [[nodiscard]] std::optional<Duration> next_due() const;
  // The frame that is due first; valid until release().
  [[nodiscard]] std::span<const std::byte> front() const;
  void release(Duration now);  // the front has gone

  [[nodiscard]] const DelayCounts& counts() const { return counts_; }

 private:
  using Buffer = std::unique_ptr<std::byte[]>;  // NOLINT(modernize-avoid-c-arrays): its length is known at run time only
  struct Frame {
    Duration due, arrived;
    std::uint64_t order;
    std::uint32_t length;
    bool large;
    Buffer bytes;
  };
  static bool later(const Frame& one, const Frame& other);
  [[nodiscard]] double grown_at(Duration now) const;
  bool overtakes();
  Duration due_at(Duration now, std::size_t length, double grown);
  [[nodiscard]] bool has_room(bool large);
  enum class From { room, copy };  // a large frame may stay where it was read to, but for its last copy only
  void hold(std::size_t length, Duration now, double grown, From from);
  void look_at_slots(Duration now);
  void count_second(Duration now, std::size_t bytes);
  Buffer take(bool large);
  void give_back(Buffer buffer, bool large);

  Effects effects_;
  std::size_t most_memory_, memory_ = 0;
  Duration begin_, path_;
  Random random_;
  LossModel loss_;
  CorrelatedEvent duplicate_, corrupt_, reorder_;
  DelayModel delay_;
  RateShaper shaper_;
  std::optional<Slots> slots_;
  std::uint32_t since_overtaking_ = 0;
  std::vector<Frame> heap_;  // the earliest in front; equal times in order of arrival
  std::vector<Buffer> spare_small_, spare_large_;
  Buffer room_;
  std::uint64_t order_ = 0;
  Duration second_{};  // when the second began that is counted now
  std::uint64_t bytes_in_second_ = 0;
  DelayCounts counts_;
};

}  // namespace arashi::workers
