#include "experiments/load/ledger.hpp"

#include <algorithm>
#include <cmath>

namespace arashi::load {
namespace {

constexpr Duration slice_length = std::chrono::seconds(1);
constexpr Duration grace = std::chrono::seconds(1);  // an answer this much after its timeout still goes into the latencies

void take_quantiles(Second& second, const Histogram& latencies) {
  second.p50 = latencies.quantile(0.5);
  second.p90 = latencies.quantile(0.9);
  second.p99 = latencies.quantile(0.99);
  second.most = latencies.quantile(1);
}

}  // namespace

Ledger::Ledger(Terms terms) : terms_(std::move(terms)) {
  patience_ = terms_.latency > Duration::zero() ? std::min(terms_.latency, terms_.timeout) : terms_.timeout;
  summary_.name = terms_.name;
  summary_.rate_intended = terms_.rate;
}

Duration Ledger::intended(std::uint64_t request) const {
  return terms_.start + Duration(static_cast<std::int64_t>(std::ceil(static_cast<double>(request) * (1e9 / terms_.rate))));
}

std::uint64_t Ledger::bin_of(std::uint64_t request) const {
  return static_cast<std::uint64_t>((intended(request) - terms_.start) / slice_length);
}

Ledger::Bin* Ledger::live_bin(std::uint64_t request) {
  const std::uint64_t index = bin_of(request);
  return index < first_bin_ || index >= first_bin_ + bins_.size() ? nullptr : &bins_[index - first_bin_];
}

Ledger::Bin& Ledger::bin_at(std::uint64_t index) {
  while (first_bin_ + bins_.size() <= index) {
    Bin bin;
    bin.second.begin = terms_.start - terms_.epoch + static_cast<std::int64_t>(first_bin_ + bins_.size()) * slice_length;
    bins_.push_back(std::move(bin));
  }
  return bins_[index - first_bin_];
}

void Ledger::advance(Duration now) {
  for (; intended(made_) <= now; ++made_) {
    Bin& bin = bin_at(bin_of(made_));
    ++bin.second.intended;
    ++bin.undecided;
    ++bin.unanswered;
    fates_.push_back(Fate::open);
  }
  if (now > terms_.start) bin_at(static_cast<std::uint64_t>((now - terms_.start) / slice_length));
  age(now);
  close(now);
  retire(now);
}

// The open requests are in the order of their intended times: those too old are at the front.
void Ledger::age(Duration now) {
  while (!fates_.empty()) {
    if (fates_.front() == Fate::open) {
      if (now - intended(first_fate_) <= patience_) return;
      decide(first_fate_, terms_.latency > Duration::zero() ? Answer::good : Answer::timed_out, true, now);
    }
    fates_.pop_front();
    ++first_fate_;
  }
}

void Ledger::decide(std::uint64_t request, Answer answer, bool slow, Duration now) {
  Bin* bin = live_bin(request);
  if (bin == nullptr) return;
  fates_[request - first_fate_] = Fate::decided;
  --bin->undecided;
  ++summary_.total;
  const bool bad = slow || answer != Answer::good;
  if (!bad) {
    ++bin->second.good;
    return;
  }
  ++(answer == Answer::good ? bin->second.slow : bin->second.failed);
  ++summary_.bad;
  if (!summary_.first_bad) summary_.first_bad = now - terms_.epoch;
  summary_.last_bad = now - terms_.epoch;
}

void Ledger::started(std::uint64_t request, Duration now) {
  last_start_ = now;
  ++started_;
  if (Bin* bin = live_bin(request)) ++bin->second.started;
}

void Ledger::answered(std::uint64_t request, Answer answer, Duration now) {
  const Duration latency = now - intended(request);
  if (request >= first_fate_ && request < made_ && fates_[request - first_fate_] == Fate::open)
    decide(request, answer, latency > patience_, now);
  if (Bin* bin = live_bin(request)) {
    --bin->unanswered;
    if (answer != Answer::failed || latency >= terms_.timeout) bin->latencies.add(latency);
  }
}

guard::Slice Ledger::slice_of(const Bin& bin, Duration end) const {
  const Second& second = bin.second;
  const std::uint64_t bad = second.failed + second.slow;
  return {.begin = second.begin, .end = end, .total = second.good + bad, .bad = bad, .newest = end};
}

void Ledger::close(Duration now) {
  for (; next_slice_ < first_bin_ + bins_.size(); ++next_slice_) {
    const Bin& bin = bins_[next_slice_ - first_bin_];
    const Duration end = bin.second.begin + slice_length;
    if (bin.undecided > 0 || end > now - terms_.epoch) return;
    slices_.push_back(slice_of(bin, end));
  }
}

void Ledger::retire(Duration now) {
  while (!bins_.empty() && first_bin_ < next_slice_) {
    Bin& bin = bins_.front();
    const bool over = now - terms_.epoch >= bin.second.begin + slice_length + terms_.timeout + grace;
    if (bin.unanswered > 0 && !over) return;
    take_quantiles(bin.second, bin.latencies);
    summary_.seconds.push_back(bin.second);
    bins_.pop_front();
    ++first_bin_;
  }
}

void Ledger::finish(Duration now) {
  advance(now);
  for (; next_slice_ < first_bin_ + bins_.size(); ++next_slice_) {
    Bin& bin = bins_[next_slice_ - first_bin_];
    bin.second.intended -= bin.undecided;
    bin.undecided = 0;
    const guard::Slice slice = slice_of(bin, std::min(bin.second.begin + slice_length, now - terms_.epoch));
    if (slice.total > 0) slices_.push_back(slice);
  }
  fates_.clear();
  first_fate_ = made_;
}

std::vector<guard::Slice> Ledger::drain() { return std::exchange(slices_, {}); }

Summary Ledger::summary() const {
  Summary result = summary_;
  for (const Bin& bin : bins_) {
    result.seconds.push_back(bin.second);
    take_quantiles(result.seconds.back(), bin.latencies);
  }
  const Duration span = last_start_ - terms_.start;  // the first request is intended at the start
  if (started_ > 1 && span > Duration::zero()) result.rate_achieved = static_cast<double>(started_ - 1) / seconds(span);
  return result;
}

}  // namespace arashi::load
