// Packets that go together: a link that sends only now and then, such as a radio's. netem's "slot". Pure.
#pragma once

#include "agent/workers/delay_model.hpp"

#include <limits>

namespace arashi::workers {

class Slots {
 public:
  explicit Slots(const Slot& slot);
  // A packet that is due then comes first now. Where the slot has gone by with no one to go, the next one is drawn.
  void first_is_due(Duration due, Duration now, Random& random);
  void gone(std::size_t bytes, Duration now, Random& random);  // a packet went; a slot that is full is followed by the next
  [[nodiscard]] Duration opens() const { return opens_; }      // before then nothing goes

 private:
  void next(Duration now, Random& random);

  Slot slot_;
  DelayModel between_;
  Duration opens_{};
  std::int64_t packets_left_ = std::numeric_limits<std::int64_t>::max(), bytes_left_ = std::numeric_limits<std::int64_t>::max();
};

}  // namespace arashi::workers
