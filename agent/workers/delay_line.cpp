#include "agent/workers/delay_line.hpp"

#include <algorithm>
#include <cstring>

namespace arashi::workers {

namespace {

constexpr std::size_t small_frame = 2048;
constexpr std::size_t most_spare = 1024;  // buffers of each size kept for the next frames

std::size_t size_of(bool large) { return large ? DelayLine::longest_frame : small_frame; }

std::uint64_t some_seed() {
  std::random_device device;
  return (static_cast<std::uint64_t>(device()) << 32U) | device();
}

}  // namespace

DelayLine::DelayLine(const Effects& effects, std::optional<std::uint64_t> seed, std::size_t limit)
    : effects_(effects), limit_(limit), random_(seed ? *seed : some_seed()), room_(take(true)) {}

bool DelayLine::later(const Frame& one, const Frame& other) { return one.due != other.due ? one.due > other.due : one.order > other.order; }

std::span<std::byte> DelayLine::room() { return {room_.get(), longest_frame}; }

bool DelayLine::is_lost() { return effects_.loss > 0 && std::uniform_real_distribution<double>(0, 1)(random_) < effects_.loss; }

Duration DelayLine::draw_delay() {
  if (effects_.jitter == Duration{}) return effects_.delay;
  const auto spread = effects_.jitter.count();
  return effects_.delay + Duration(std::uniform_int_distribution<Duration::rep>(-spread, spread)(random_));
}

DelayLine::Buffer DelayLine::take(bool large) {
  auto& spare = large ? spare_large_ : spare_small_;
  if (spare.empty()) return Buffer(new std::byte[size_of(large)]);  // not cleared: the frame is read over it
  auto buffer = std::move(spare.back());
  spare.pop_back();
  return buffer;
}

void DelayLine::give_back(Buffer buffer, bool large) {
  auto& spare = large ? spare_large_ : spare_small_;
  if (spare.size() < most_spare) spare.push_back(std::move(buffer));
}

void DelayLine::accept(std::size_t length, Duration now) {
  ++counts_.taken;
  if (is_lost()) {
    ++counts_.lost;
    return;
  }
  const bool large = length > small_frame;
  if (memory_ + size_of(large) > limit_) {
    ++counts_.overflow;
    return;
  }
  memory_ += size_of(large);
  auto buffer = take(large);
  if (large)
    std::swap(buffer, room_);  // a large frame stays where it was read to
  else
    std::memcpy(buffer.get(), room_.get(), length);
  heap_.push_back({now + draw_delay(), now, ++order_, static_cast<std::uint32_t>(length), large, std::move(buffer)});
  std::push_heap(heap_.begin(), heap_.end(), later);
  counts_.held_now = heap_.size();
}

std::optional<Duration> DelayLine::next_due() const { return heap_.empty() ? std::nullopt : std::optional<Duration>(heap_.front().due); }

std::span<const std::byte> DelayLine::front() const { return {heap_.front().bytes.get(), heap_.front().length}; }

void DelayLine::release(Duration now) {
  std::pop_heap(heap_.begin(), heap_.end(), later);
  auto frame = std::move(heap_.back());
  heap_.pop_back();
  memory_ -= size_of(frame.large);
  const auto held = now - frame.arrived;
  ++counts_.delivered;
  counts_.held_sum += held;
  counts_.held_most = std::max(counts_.held_most, held);
  counts_.held_now = heap_.size();
  give_back(std::move(frame.bytes), frame.large);
}

}  // namespace arashi::workers
