#include "experiments/sli/hosted/buckets.hpp"

#include "experiments/sli/poller.hpp"

#include <algorithm>
#include <cmath>

namespace arashi::sli {
namespace {

constexpr std::int64_t furthest_back = 3'600'000;

std::int64_t milliseconds(Duration duration) { return std::chrono::duration_cast<std::chrono::milliseconds>(duration).count(); }
std::int64_t milliseconds(double seconds) { return static_cast<std::int64_t>(std::floor(seconds * 1000)); }
std::uint64_t whole(double count) { return static_cast<std::uint64_t>(std::llround(std::clamp(count, 0.0, 9e15))); }

Result<void> check_points(const Points& points, const char* what) {
  for (const auto& [time, value] : points)
    if (!(std::isfinite(value) && value >= 0)) return fail(Blame::system, "a count of '", what, "' is ", value);
  return {};
}

}  // namespace

Buckets::Buckets(Duration width, Duration every, Duration lag)
    : width_(std::max<std::int64_t>(milliseconds(width), 1)), lag_(milliseconds(lag)), every_(milliseconds(every)) {}

Stretch Buckets::wanted(double now) const {
  const std::int64_t here = milliseconds(now);
  const std::int64_t back = here - lag_ - 3 * width_ - 2 * every_;
  const std::int64_t from = known_until_ == 0 ? back : std::clamp(known_until_ - width_, std::min(back, here - lag_ - furthest_back), back);
  return {.from = from / width_ * width_, .to = here / width_ * width_, .width = width_};
}

Result<void> Buckets::check(const Batch& batch) const {
  if (batch.width <= 0) return fail(Blame::system, "the answer does not say how long its counts last");
  TRY(check_points(batch.total, "total"));
  return check_points(batch.bad, "bad");
}

Duration Buckets::ours(std::int64_t time, double zero) const { return std::chrono::milliseconds(time - milliseconds(zero)); }

std::vector<guard::Slice> Buckets::take(const Result<Batch>& batch, Duration asked, double now, double zero) {
  const Duration known = known_until_ == 0 ? asked : ours(known_until_, zero);
  if (!batch) return {notice(guard::Freshness::error, asked, known, batch.error().message)};
  if (const auto sound = check(*batch); !sound) return {notice(guard::Freshness::not_a_number, asked, known, sound.error().message)};
  const std::int64_t complete = milliseconds(now) - lag_;  // what ends later may still grow
  const auto is_complete = [&](const auto& point) { return point.first + batch->width <= complete; };
  if (known_until_ == 0) {  // begin with the newest: the past is not this experiment's
    const auto newest = std::find_if(batch->total.rbegin(), batch->total.rend(), is_complete);
    if (newest == batch->total.rend()) return {notice(guard::Freshness::empty, asked, asked, "no count of 'total' yet")};
    known_until_ = newest->first;
  }
  std::vector<guard::Slice> slices;
  for (const auto& point : batch->total) {
    if (point.first < known_until_ || !is_complete(point)) continue;
    guard::Slice slice{.begin = ours(point.first, zero), .end = ours(point.first + batch->width, zero)};
    const auto bad = batch->bad.find(point.first);
    slice.bad = bad == batch->bad.end() ? 0 : whole(bad->second);
    slice.total = std::max(slice.bad, whole(point.second));
    slice.newest = slice.end;
    known_until_ = point.first + batch->width;
    slices.push_back(std::move(slice));
  }
  if (complete - known_until_ > 2 * std::max(batch->width, every_))
    slices.push_back(notice(guard::Freshness::stale, asked, ours(known_until_, zero),
                            "the newest complete count is " + std::to_string((milliseconds(now) - known_until_) / 1000) + " s old"));
  return slices;
}

}  // namespace arashi::sli
