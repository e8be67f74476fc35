#include "agent/event_loop.hpp"

#include <sys/timerfd.h>

#include <algorithm>
#include <array>

namespace arashi {

Result<void> EventLoop::open(std::uint32_t alarm) {
  epoll_.reset(epoll_create1(EPOLL_CLOEXEC));
  timer_.reset(timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK));
  if (!epoll_ || !timer_) return sys_fail("make the event loop");
  listen_to(timer_.get(), alarm);
  return {};
}

void EventLoop::listen_to(int fd, std::uint32_t tag, std::uint32_t events) {
  epoll_event event{.events = events, .data = {.u32 = tag}};
  if (epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) (void)epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event);
}

void EventLoop::forget(int fd) { (void)epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr); }

void EventLoop::wake_at(std::optional<Duration> moment) {
  if (moment == moment_ && moment.value_or(Duration::max()) > boot_now()) return;
  moment_ = moment;
  const auto at = moment ? std::max(*moment, Duration(1)) : Duration::zero();  // zero disarms
  itimerspec spec{};
  spec.it_value.tv_sec = static_cast<time_t>(at.count() / 1'000'000'000);
  spec.it_value.tv_nsec = static_cast<long>(at.count() % 1'000'000'000);
  timerfd_settime(timer_.get(), TFD_TIMER_ABSTIME, &spec, nullptr);
}

std::vector<std::uint32_t> EventLoop::wait() {
  std::array<epoll_event, 16> events{};
  const auto count = std::max(epoll_wait(epoll_.get(), events.data(), events.size(), -1), 0);
  std::vector<std::uint32_t> tags(static_cast<std::size_t>(count));
  std::transform(events.begin(), events.begin() + count, tags.begin(), [](const epoll_event& event) { return event.data.u32; });
  return tags;
}

}  // namespace arashi
