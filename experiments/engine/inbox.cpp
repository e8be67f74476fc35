#include "experiments/engine/inbox.hpp"

#include <sys/eventfd.h>

#include <cstdint>
#include <utility>

namespace arashi::engine {

Inbox::Inbox() : bell_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {}

void Inbox::put(run::Happening happening) {
  {
    const std::lock_guard lock(mutex_);
    waiting_.push_back(std::move(happening));
  }
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = ::write(bell_.get(), &one, sizeof one);  // the loop looks every 50 ms anyway
}

std::vector<run::Happening> Inbox::take() {
  std::uint64_t rung = 0;
  [[maybe_unused]] const auto got = ::read(bell_.get(), &rung, sizeof rung);
  const std::lock_guard lock(mutex_);
  return std::exchange(waiting_, {});
}

}  // namespace arashi::engine
