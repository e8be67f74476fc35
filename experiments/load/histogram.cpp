#include "experiments/load/load.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace arashi::load {
namespace {

// Below 64 us a bucket per microsecond, then 64 buckets per power of two.
constexpr unsigned fine_bits = 6;
constexpr std::uint64_t fine = std::uint64_t{1} << fine_bits;
constexpr std::uint64_t most = 3'600'000'000;  // 1 h in microseconds

std::size_t bucket_of(std::uint64_t value) {
  const unsigned octave = static_cast<unsigned>(std::bit_width(value)) - 1;
  if (octave < fine_bits) return value;
  const unsigned shift = octave - fine_bits;
  return (shift + 1) * fine + ((value >> shift) - fine);
}

Duration middle_of(std::size_t bucket) {
  if (bucket < fine) return std::chrono::microseconds(bucket);
  const std::size_t shift = bucket / fine - 1;
  const std::uint64_t low = (fine + bucket % fine) << shift;
  return std::chrono::microseconds(low + (std::uint64_t{1} << shift) / 2);
}

}  // namespace

Histogram::Histogram() : buckets_(bucket_of(most) + 1) {}

void Histogram::add(Duration latency) {
  const auto microseconds = std::chrono::duration_cast<std::chrono::microseconds>(latency).count();
  const auto value = static_cast<std::uint64_t>(std::clamp<std::int64_t>(microseconds, 1, most));
  ++buckets_[bucket_of(value)];
  ++count_;
}

Duration Histogram::quantile(double q) const {
  if (count_ == 0) return Duration::zero();
  const double wanted = std::ceil(std::clamp(q, 0.0, 1.0) * static_cast<double>(count_));
  const auto rank = std::max<std::uint64_t>(1, static_cast<std::uint64_t>(wanted));
  std::uint64_t seen = 0;
  for (std::size_t bucket = 0; bucket < buckets_.size(); ++bucket) {
    seen += buckets_[bucket];
    if (seen >= rank) return middle_of(bucket);
  }
  return middle_of(buckets_.size() - 1);
}

void Histogram::merge(const Histogram& other) {
  for (std::size_t bucket = 0; bucket < buckets_.size(); ++bucket) buckets_[bucket] += other.buckets_[bucket];
  count_ += other.count_;
}

}  // namespace arashi::load
