#include "agent/workers/delay_line.hpp"

#include "agent/workers/frame.hpp"

#include <algorithm>
#include <cstring>
#include <random>

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

DelayLine::DelayLine(const Effects& effects, std::optional<std::uint64_t> seed, std::size_t memory, Duration begin, Duration path)
    : effects_(effects),
      most_memory_(memory),
      begin_(begin),
      path_(path),
      random_(seed ? *seed : some_seed()),
      loss_(effects),
      duplicate_(effects.duplicate),
      corrupt_(effects.corrupt),
      reorder_(effects.reorder),
      delay_({effects.delay, effects.jitter, effects.distribution, effects.table, effects.delay_correlation}),
      shaper_(effects.rate),
      room_(take(true)) {
  if (effects.slot) slots_.emplace(*effects.slot);
}

bool DelayLine::later(const Frame& one, const Frame& other) { return one.due != other.due ? one.due > other.due : one.order > other.order; }

std::span<std::byte> DelayLine::room() { return {room_.get(), longest_frame}; }

double DelayLine::grown_at(Duration now) const {
  if (effects_.ramp == Duration{}) return 1;
  return std::clamp(seconds(now - begin_) / seconds(effects_.ramp), 0.0, 1.0);
}

// Of those that come, the gap-th and later ones since the last that overtook may.
bool DelayLine::overtakes() {
  if (effects_.reorder.share <= 0) return false;
  ++since_overtaking_;
  if (since_overtaking_ < effects_.gap || !reorder_.happens(random_)) return false;
  since_overtaking_ = 0;
  return true;
}

// First through the link, then along it.
Duration DelayLine::due_at(Duration now, std::size_t length, double grown) {
  if (overtakes()) {
    ++counts_.overtaking;
    return now;
  }
  const auto through = effects_.rate.bits_per_second > 0 ? shaper_.through(now, wire_length({room_.get(), length}), grown) : now;
  return std::max(now, through + delay_.draw_delay(random_, grown) - path_);
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
  const double grown = grown_at(now);
  const bool lost = loss_.loses(random_, grown);
  const bool twice = duplicate_.happens(random_);
  counts_.lost += lost ? 1 : 0;
  counts_.duplicated += twice ? 1 : 0;
  if (lost && !twice) return;  // one that is lost and duplicated arrives once
  if (twice && !lost) hold(length, now, grown, From::copy);
  if (corrupt_.happens(random_) && corrupt_bit({room_.get(), length}, random_)) ++counts_.corrupted;
  hold(length, now, grown, From::room);
  look_at_slots(now);
}

bool DelayLine::has_room(bool large) {
  const bool full = effects_.limit > 0 && heap_.size() >= effects_.limit;
  const bool fits = memory_ + size_of(large) <= most_memory_;
  if (full)
    ++counts_.over_limit;
  else if (!fits)
    ++counts_.overflow;
  return !full && fits;
}

void DelayLine::hold(std::size_t length, Duration now, double grown, From from) {
  const bool large = length > small_frame;
  if (!has_room(large)) return;
  memory_ += size_of(large);
  const auto due = due_at(now, length, grown);
  auto buffer = take(large);
  if (large && from == From::room)
    std::swap(buffer, room_);
  else
    std::memcpy(buffer.get(), room_.get(), length);
  heap_.push_back({due, now, ++order_, static_cast<std::uint32_t>(length), large, std::move(buffer)});
  std::push_heap(heap_.begin(), heap_.end(), later);
  counts_.held_now = heap_.size();
}

void DelayLine::look_at_slots(Duration now) {
  if (slots_ && !heap_.empty()) slots_->first_is_due(heap_.front().due, now, random_);
}

std::optional<Duration> DelayLine::next_due() const {
  if (heap_.empty()) return std::nullopt;
  return slots_ ? std::max(heap_.front().due, slots_->opens()) : heap_.front().due;
}

void DelayLine::count_second(Duration now, std::size_t bytes) {
  if (now - second_ >= std::chrono::seconds(1)) {
    second_ = now;
    bytes_in_second_ = 0;
  }
  bytes_in_second_ += bytes;
  counts_.busiest_second = std::max(counts_.busiest_second, bytes_in_second_);
}

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
  if (effects_.rate.bits_per_second > 0 || slots_) {
    const auto bytes = wire_length({frame.bytes.get(), frame.length});
    count_second(now, bytes);
    if (slots_) slots_->gone(bytes, now, random_);
  }
  give_back(std::move(frame.bytes), frame.large);
  look_at_slots(now);
}

}  // namespace arashi::workers
