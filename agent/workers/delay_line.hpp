// Holds frames until they are due: the arithmetic of the tap engine. Pure: frames and times go in, frames come out.
#pragma once

#include "injector/core/units.hpp"
#include "injector/host/impairment.hpp"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <vector>

namespace arashi::workers {

struct DelayCounts {
  std::uint64_t taken = 0, lost = 0, overflow = 0, delivered = 0;  // frames; overflow: no room to hold them, so dropped as well
  Duration held_sum{}, held_most{};                                // of the delivered ones
  std::uint64_t held_now = 0;
};

class DelayLine {
 public:
  static constexpr std::size_t longest_frame = 66000;  // the largest GSO frame with Ethernet and virtio headers

  // limit: most bytes of memory that frames may take.
  DelayLine(const Effects& effects, std::optional<std::uint64_t> seed, std::size_t limit);

  // Where the next frame is to be read to; accept() takes it from there.
  std::span<std::byte> room();
  // `length` bytes of room() arrived at `now`. They are lost by chance, dropped for want of memory, or held.
  void accept(std::size_t length, Duration now);

  // When the next frame is due; nothing when none is held.
  [[nodiscard]] std::optional<Duration> next_due() const;
  // The frame that is due first; valid until release().
  [[nodiscard]] std::span<const std::byte> front() const;
  void release(Duration now);  // the front has gone

  [[nodiscard]] const DelayCounts& counts() const { return counts_; }

 private:
  using Buffer = std::unique_ptr<std::byte[]>;
  struct Frame {
    Duration due, arrived;
    std::uint64_t order;
    std::uint32_t length;
    bool large;
    Buffer bytes;
  };
  static bool later(const Frame& one, const Frame& other);
  [[nodiscard]] bool is_lost();
  Duration draw_delay();
  Buffer take(bool large);
  void give_back(Buffer buffer, bool large);

  Effects effects_;
  std::size_t limit_, memory_ = 0;
  std::mt19937_64 random_;
  std::vector<Frame> heap_;  // the earliest in front; equal times in order of arrival
  std::vector<Buffer> spare_small_, spare_large_;
  Buffer room_;
  std::uint64_t order_ = 0;
  DelayCounts counts_;
};

}  // namespace arashi::workers
