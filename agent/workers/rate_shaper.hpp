// A link of limited rate, with a queue in front of it. Pure.
#pragma once

#include "injector/network/effects.hpp"

#include <cstddef>

namespace arashi::workers {

class RateShaper {
 public:
  explicit RateShaper(const LinkRate& rate) : rate_(rate) {}
  // When a packet of `bytes` that comes at `now` is through. Packets go one after the other; after a rest, `burst` bytes go at once.
  // grown: more than 0, at most 1; the limit in force is the rate divided by it, so that a ramp begins with no limit.
  Duration through(Duration now, std::size_t bytes, double grown);
  // What it takes of the link, in bytes: with overheads and in whole cells.
  [[nodiscard]] std::int64_t cost(std::size_t bytes) const;

 private:
  [[nodiscard]] Duration time_for(double bytes, double grown) const;
  LinkRate rate_;
  Duration free_{};  // when all that came before is through
};

}  // namespace arashi::workers
