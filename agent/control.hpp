// What the injector process tells its supervisor, one packet each. The end of the connection tells each that the other is gone.
#pragma once

#include "injector/core/fd.hpp"
#include "injector/core/result.hpp"
#include "injector/core/units.hpp"

#include <chrono>
#include <optional>
#include <string>
#include <utility>

namespace arashi {

struct Notice {
  enum class Kind {
    ready,   // text: "SOCKET" or "SOCKET ADDRESS:PORT"
    alive,   // a lease or a fault lives, and the event loop turns; said every `beat` until idle
    idle,    // nothing lives: no more beats
    failed,  // cannot start; blame and text say why
  };
  Kind kind = Kind::idle;
  Blame blame = Blame::system;
  std::string text;
};

inline constexpr Duration beat = std::chrono::milliseconds(500);
// An injector process that is silent for this long while something lives is stopped or stuck: the supervisor ends it, and recovery takes
// back what it held.
inline constexpr Duration longest_silence = std::chrono::seconds(2);

Result<std::pair<Fd, Fd>> control_pair();
void send_notice(int fd, const Notice& notice);  // a supervisor that is gone shows as the end of the connection
// Nothing when there is none waiting; `ended` when there will be none any more.
std::optional<Notice> receive_notice(int fd, bool& ended);

}  // namespace arashi
