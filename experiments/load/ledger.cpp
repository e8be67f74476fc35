#include "experiments/load/ledger.hpp"

#include <algorithm>

namespace arashi::load {
namespace {

constexpr Duration slice_length = std::chrono::seconds(1);
constexpr Duration grace = std::chrono::seconds(1);             // an answer this much after its timeout still goes into the latencies
constexpr Duration late_most = std::chrono::milliseconds(500);  // what is taken on later than this is not sent: it would come as a burst

constexpr Duration noticeable = std::chrono::milliseconds(100);
constexpr const char* stood_still = "the runner stood still, or had no processor";

std::string commonest(const std::map<std::string, std::uint64_t>& counts) {
  const auto most = std::ranges::max_element(counts, {}, [](const auto& each) { return each.second; });
  return most == counts.end() ? "" : most->first;
}

void take_quantiles(Second& second, const Histogram& latencies) {
  second.p50 = latencies.quantile(0.5);
  second.p90 = latencies.quantile(0.9);
  second.p99 = latencies.quantile(0.99);
  second.most = latencies.quantile(1);
}

}  // namespace

Ledger::Ledger(Terms terms) : terms_(std::move(terms)) {
  std::vector<Duration> latencies = terms_.latencies.empty() ? std::vector<Duration>{Duration{}} : terms_.latencies;
  const auto patience = [&](Duration latency) { return latency > Duration{} ? std::min(latency, terms_.timeout) : terms_.timeout; };
  for (const Duration latency : latencies) {
    const bool known = std::ranges::find(thresholds_, latency, &Threshold::latency) != thresholds_.end();
    if (!known) thresholds_.push_back({.latency = latency, .patience = patience(latency), .sum = {.latency = latency}});
  }
  std::ranges::stable_sort(thresholds_, {}, &Threshold::patience);
  summary_.name = terms_.name;
  make_next();
}

void Ledger::make_next() {
  next_ = terms_.next();
  if (next_) *next_ += terms_.start;
}

std::optional<Duration> Ledger::intended(std::uint64_t request) const {
  if (request < first_request_ || request >= due()) return std::nullopt;
  return requests_[request - first_request_].at;
}

std::uint64_t Ledger::bin_of(Duration at) const { return static_cast<std::uint64_t>((at - terms_.start) / slice_length); }

Ledger::Bin* Ledger::live_bin(Duration at) {
  const std::uint64_t index = bin_of(at);
  return index < first_bin_ || index >= first_bin_ + bins_.size() ? nullptr : &bins_[index - first_bin_];
}

Ledger::Bin& Ledger::bin_at(std::uint64_t index) {
  while (first_bin_ + bins_.size() <= index) {
    Bin bin{.tallies = std::vector<Tally>(thresholds_.size()), .end = due()};
    bin.second.begin = terms_.start - terms_.epoch + static_cast<std::int64_t>(first_bin_ + bins_.size()) * slice_length;
    bins_.push_back(std::move(bin));
  }
  return bins_[index - first_bin_];
}

void Ledger::make_due(Duration now) {
  for (; next_ && *next_ <= now; make_next()) {
    Bin& bin = bin_at(bin_of(*next_));
    ++bin.second.intended;
    for (Tally& tally : bin.tallies) ++tally.undecided;
    ++bin.unanswered;
    ++bin.end;
    requests_.push_back({*next_});
    last_due_ = *next_;
  }
}

void Ledger::advance(Duration now, Duration seen) {
  make_due(now);
  if (now > terms_.start) bin_at(bin_of(now));
  for (std::size_t i = 0; i < thresholds_.size(); ++i) {
    age(i, seen);
    close(i, now);
  }
  retire(now);
}

// The requests are in the order of their intended times: those too old are at the front.
void Ledger::age(std::size_t threshold, Duration seen) {
  Threshold& by = thresholds_[threshold];
  for (; by.decided < due(); ++by.decided) {
    const Request& request = requests_[by.decided - first_request_];
    if (request.answered) continue;
    if (seen - request.at - request.held_up <= by.patience) return;
    decide(threshold, request.at, by.latency > Duration{} ? Answer::good : Answer::timed_out, true, seen);
  }
}

void Ledger::decide(std::size_t threshold, Duration at, Answer answer, bool slow, Duration when) {
  Bin* bin = live_bin(at);
  if (bin == nullptr) return;
  Tally& tally = bin->tallies[threshold];
  ByLatency& sum = thresholds_[threshold].sum;
  --tally.undecided;
  if (answer == Answer::not_sent) {
    ++tally.not_sent;
    return;
  }
  ++sum.total;
  if (!slow && answer == Answer::good) {
    ++tally.good;
    return;
  }
  ++(answer == Answer::good ? tally.slow : tally.failed);
  ++sum.bad;
  if (!sum.first_bad) sum.first_bad = when - terms_.epoch;
  sum.last_bad = when - terms_.epoch;
}

bool Ledger::take(std::uint64_t request, Duration now) {
  if (request < first_request_ || request >= due()) return false;
  Request& known = requests_[request - first_request_];
  known.held_up = std::max(now - known.at, Duration{});
  if (known.held_up <= late_most) return true;
  answered(request, Answer::not_sent, now, stood_still);
  return false;
}

void Ledger::held_up(std::uint64_t request, Duration by) {
  if (request >= first_request_ && request < due()) requests_[request - first_request_].held_up += by;
}

void Ledger::started(std::uint64_t request, Duration now) {
  last_start_ = std::max(last_start_, now);
  ++started_;
  const auto at = intended(request);
  if (Bin* bin = at ? live_bin(*at) : nullptr) ++bin->second.started;
}

void Ledger::answered(std::uint64_t request, Answer answer, Duration arrived, const std::string& why) {
  if (request < first_request_ || request >= due() || requests_[request - first_request_].answered) {
    if (answer != Answer::good && answer != Answer::not_sent) ++summary_.failures[why];
    return;
  }
  Request& known = requests_[request - first_request_];
  const Duration latency = arrived - known.at;
  const bool ours =
      answer == Answer::not_sent || (answer == Answer::timed_out && known.held_up > noticeable && latency - known.held_up < terms_.timeout);
  known.answered = true;
  bool held_up = ours;
  for (std::size_t i = 0; i < thresholds_.size(); ++i) {
    if (request < thresholds_[i].decided) continue;
    const bool slow = latency > thresholds_[i].patience;
    const bool by_us = ours || (answer == Answer::good && slow && latency - known.held_up <= thresholds_[i].patience);
    decide(i, known.at, by_us ? Answer::not_sent : answer, slow, arrived);
    held_up = held_up || by_us;
  }
  tell_why(known.at, answer, ours || held_up, answer == Answer::not_sent ? why : held_up ? stood_still : why);
  Bin* bin = live_bin(known.at);
  if (bin == nullptr) return;
  --bin->unanswered;
  if (!ours && (answer != Answer::failed || latency >= terms_.timeout)) bin->latencies.add(latency);
}

void Ledger::tell_why(Duration at, Answer answer, bool ours, const std::string& why) {
  Bin* bin = live_bin(at);
  if (ours) {
    ++summary_.not_sent[why];
    if (bin != nullptr) ++bin->not_sent[why];
  } else if (answer != Answer::good) {
    ++summary_.failures[why];
    if (bin != nullptr) ++bin->problems[why];
  }
}

guard::Slice Ledger::slice_of(const Bin& bin, std::size_t threshold, Duration end) const {
  const Tally& tally = bin.tallies[threshold];
  const std::uint64_t bad = tally.failed + tally.slow;
  guard::Slice slice{.begin = bin.second.begin, .end = end, .total = tally.good + bad, .bad = bad, .newest = end};
  if (bad > 0) slice.problem = tally.slow > tally.failed ? "answered too late" : commonest(bin.problems);
  if (tally.not_sent == 0) return slice;
  slice.state = guard::Freshness::partial;
  slice.missing = static_cast<double>(tally.not_sent) / static_cast<double>(tally.not_sent + slice.total);
  slice.ours = tally.not_sent;
  slice.problem = std::to_string(tally.not_sent) + " requests were not sent in time: " + commonest(bin.not_sent);
  return slice;
}

void Ledger::close(std::size_t threshold, Duration now) {
  Threshold& by = thresholds_[threshold];
  for (; by.next_slice < first_bin_ + bins_.size(); ++by.next_slice) {
    const Bin& bin = bins_[by.next_slice - first_bin_];
    const Duration end = bin.second.begin + slice_length;
    if (bin.tallies[threshold].undecided > 0 || end > now - terms_.epoch) return;
    by.slices.push_back(slice_of(bin, threshold, end));
  }
}

Second Ledger::second_of(const Bin& bin) const {
  Second second = bin.second;
  second.good = bin.tallies.front().good;
  second.failed = bin.tallies.front().failed;
  second.slow = bin.tallies.front().slow;
  second.not_sent = bin.tallies.front().not_sent;
  take_quantiles(second, bin.latencies);
  return second;
}

// A second goes when it is closed by every threshold and its latencies are known, or no more are waited for.
void Ledger::retire(Duration now) {
  const std::uint64_t closed = std::ranges::min_element(thresholds_, {}, &Threshold::next_slice)->next_slice;
  while (!bins_.empty() && first_bin_ < closed) {
    const Bin& bin = bins_.front();
    const bool over = now - terms_.epoch >= bin.second.begin + slice_length + terms_.timeout + grace;
    if (bin.unanswered > 0 && !over) return;
    summary_.seconds.push_back(second_of(bin));
    latencies_.merge(bin.latencies);
    for (Threshold& by : thresholds_) by.decided = std::max(by.decided, bin.end);
    requests_.erase(requests_.begin(), requests_.begin() + static_cast<std::ptrdiff_t>(bin.end - first_request_));
    first_request_ = bin.end;
    bins_.pop_front();
    ++first_bin_;
  }
}

// What is undecided was neither good nor bad.
void Ledger::settle(Bin& bin, std::size_t threshold) {
  if (threshold == 0) bin.second.intended -= bin.tallies[threshold].undecided;
  bin.tallies[threshold].undecided = 0;
}

void Ledger::finish(Duration now, Duration seen) {
  advance(now, seen);
  next_.reset();
  for (std::size_t i = 0; i < thresholds_.size(); ++i) {
    Threshold& by = thresholds_[i];
    for (; by.next_slice < first_bin_ + bins_.size(); ++by.next_slice) {
      Bin& bin = bins_[by.next_slice - first_bin_];
      settle(bin, i);
      const guard::Slice slice = slice_of(bin, i, std::min(bin.second.begin + slice_length, now - terms_.epoch));
      if (slice.total > 0 || slice.ours > 0) by.slices.push_back(slice);
    }
    by.decided = due();
  }
}

std::vector<guard::Slice> Ledger::drain(Duration latency) {
  const auto by = std::ranges::find(thresholds_, latency, &Threshold::latency);
  return by == thresholds_.end() ? std::vector<guard::Slice>{} : std::exchange(by->slices, {});
}

Summary Ledger::summary() const {
  Summary result = summary_;
  for (const Threshold& by : thresholds_) result.thresholds.push_back(by.sum);
  const ByLatency& first = result.thresholds.front();
  result.total = first.total;
  result.bad = first.bad;
  result.first_bad = first.first_bad;
  result.last_bad = first.last_bad;
  Histogram all = latencies_;
  for (const Bin& bin : bins_) {
    result.seconds.push_back(second_of(bin));
    all.merge(bin.latencies);
  }
  result.latencies = {all.quantile(0.5), all.quantile(0.9), all.quantile(0.99), all.quantile(0.999), all.quantile(1)};
  const Duration planned = last_due_ - terms_.start;
  result.rate_intended = terms_.rate;
  if (terms_.rate <= 0 && planned > Duration{}) result.rate_intended = static_cast<double>(due()) / seconds(planned);
  // Evenly, the first request is intended at the start; otherwise one more or less makes no difference.
  const Duration span = last_start_ - terms_.start;
  const double gaps = static_cast<double>(started_) - (terms_.rate > 0 ? 1 : 0);
  if (started_ > 1 && span > Duration{}) result.rate_achieved = gaps / seconds(span);
  return result;
}

}  // namespace arashi::load
