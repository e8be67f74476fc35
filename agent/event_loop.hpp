// What the injector process sleeps on: descriptors, and one moment. Without a moment no timer runs.
#pragma once

#include "injector/core/fd.hpp"
#include "injector/core/result.hpp"
#include "injector/core/units.hpp"

#include <sys/epoll.h>

#include <cstdint>
#include <optional>
#include <vector>

namespace arashi {

class EventLoop {
 public:
  // Before anything else. `alarm` is what wait() returns when the moment of wake_at() has come.
  Result<void> open(std::uint32_t alarm);

  // wait() returns `tag` whenever `fd` is ready for `events`. A descriptor that is known already gets the new `events`.
  void listen_to(int fd, std::uint32_t tag, std::uint32_t events = EPOLLIN);
  void forget(int fd);

  // CLOCK_BOOTTIME; nothing: never. A moment that has passed is now.
  void wake_at(std::optional<Duration> moment);

  // Sleeps until something is ready. May return nothing (a signal handler ran).
  std::vector<std::uint32_t> wait();

 private:
  Fd epoll_, timer_;
  std::optional<Duration> moment_;
};

}  // namespace arashi
