#include "experiments/sli/poller.hpp"

#include <algorithm>

namespace arashi::sli {
namespace {

constexpr std::size_t slices_most = 100'000;  // not drained; then the oldest go, and the guard charges the gap

}  // namespace

Duration answer_time(const Rhythm& rhythm) {
  const Duration longest = rhythm.longest_answer > Duration{} ? rhythm.longest_answer : Duration(std::chrono::seconds(2));
  return std::clamp<Duration>(rhythm.every * 9 / 10, std::min<Duration>(std::chrono::milliseconds(50), longest), longest);
}

Poller::Poller(Rhythm rhythm, Ask ask)
    : rhythm_(rhythm), ask_(std::move(ask)), thread_([this](const std::stop_token& stop) { run(stop); }) {}

std::vector<guard::Slice> Poller::drain() {
  const std::lock_guard lock(mutex_);
  return std::exchange(slices_, {});
}

void Poller::run(const std::stop_token& stop) {
  Duration next = boot_now();
  while (sleep_until(next, stop)) {
    const Duration begun = next;
    Polled polled = ask_(answer_time(rhythm_), stop);
    if (stop.stop_requested()) return;
    next = next_after(begun, polled.leave_alone);
    const std::lock_guard lock(mutex_);
    for (guard::Slice& slice : polled.slices) {
      if (slices_.size() >= slices_most) slices_.erase(slices_.begin());
      slices_.push_back(std::move(slice));
    }
  }
}

// From when it should have begun, so that the rhythm keeps its pace; but never a burst of what was missed.
Duration Poller::next_after(Duration begun, Duration leave_alone) {
  const auto most = static_cast<double>(rhythm_.every.count()) * rhythm_.jitter;
  const Duration jitter(static_cast<std::int64_t>(std::uniform_real_distribution<>(-most, most)(random_)));
  return std::max(begun + rhythm_.every + jitter, boot_now() + leave_alone);
}

bool Poller::sleep_until(Duration when, const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested() && boot_now() < when) wake_.wait_for(lock, stop, when - boot_now(), [] { return false; });
  return !stop.stop_requested();
}

guard::Slice notice(guard::Freshness state, Duration now, Duration newest, std::string problem) {
  return {.begin = now, .end = now, .state = state, .newest = newest, .problem = std::move(problem)};
}

}  // namespace arashi::sli
