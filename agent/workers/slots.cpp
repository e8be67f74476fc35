#include "agent/workers/slots.hpp"

#include <algorithm>

namespace arashi::workers {

namespace {

Varying between(const Slot& slot) {
  if (slot.shape) return {.mean = slot.delay, .jitter = slot.jitter, .shape = *slot.shape};
  return {.mean = (slot.least + slot.most) / 2, .jitter = (slot.most - slot.least) / 2};
}

std::int64_t or_endless(std::uint64_t count) {
  return count == 0 ? std::numeric_limits<std::int64_t>::max() : static_cast<std::int64_t>(count);
}

}  // namespace

Slots::Slots(const Slot& slot) : slot_(slot), between_(between(slot)) {}

void Slots::next(Duration now, Random& random) {
  opens_ = now + between_.draw_delay(random, 1);
  packets_left_ = or_endless(slot_.packets);
  bytes_left_ = or_endless(slot_.bytes);
}

void Slots::first_is_due(Duration due, Duration now, Random& random) {
  if (opens_ < due) next(std::max(now, due), random);
}

void Slots::gone(std::size_t bytes, Duration now, Random& random) {
  --packets_left_;
  bytes_left_ -= static_cast<std::int64_t>(bytes);
  if (packets_left_ <= 0 || bytes_left_ <= 0) next(now, random);
}

}  // namespace arashi::workers
