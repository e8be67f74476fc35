#include "experiments/engine/stop.hpp"

#include <sys/eventfd.h>
#include <unistd.h>

#include <cstdint>

namespace arashi::engine {

StopButton::StopButton() : bell_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

void StopButton::press(const std::string& by) {
  {
    const std::lock_guard lock(mutex_);
    asked_.push_back(by);
  }
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(bell_.get(), &one, sizeof one);
}

std::optional<std::string> StopButton::take() {
  std::uint64_t rung = 0;
  [[maybe_unused]] const auto got = ::read(bell_.get(), &rung, sizeof rung);
  const std::lock_guard lock(mutex_);
  if (asked_.empty()) return std::nullopt;
  std::string by = std::move(asked_.front());
  asked_.erase(asked_.begin());
  return by;
}

}  // namespace arashi::engine
