#include "experiments/sli/prometheus.hpp"

#include "experiments/sli/counters.hpp"
#include "experiments/sli/prometheus_query.hpp"

#include <algorithm>
#include <cmath>
#include <condition_variable>
#include <mutex>
#include <thread>

namespace arashi::sli {
namespace {

constexpr std::size_t slices_most = 100'000;  // not drained; then the oldest go, and the guard charges the gap

class Prometheus final : public Source {
 public:
  Prometheus(spec::PrometheusSource source, Counters counters, Duration epoch)
      : source_(std::move(source)), counters_(std::move(counters)), epoch_(epoch), thread_([this] { run(); }) {}
  ~Prometheus() override {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    stop_.notify_all();
    thread_.join();
  }
  Prometheus(const Prometheus&) = delete;
  Prometheus& operator=(const Prometheus&) = delete;

  std::vector<guard::Slice> drain() override {
    const std::lock_guard lock(mutex_);
    return std::exchange(slices_, {});
  }

 private:
  void run() {
    // Shorter than the period, so that one answer is over before the next question; and short enough to stop by.
    const Duration timeout = std::clamp<Duration>(source_.every * 9 / 10, std::chrono::milliseconds(100), std::chrono::seconds(2));
    Duration next = boot_now();
    while (sleep_until(next)) {
      const Duration asked = boot_now();
      const Answer answer = ask(client_, source_, counters_.query(), wall_now() + skew_, timeout);
      learn_clock(answer);
      add(counters_.poll(answer.reply, asked - epoch_, zero_));
      next = std::max(next + source_.every, boot_now());
      if (answer.retry_after) next = std::max(next, boot_now() + *answer.retry_after);
    }
  }

  // Once: the server's time at our time 0. Later readings would only add the jitter of the question to every slice.
  void learn_clock(const Answer& answer) {
    if (clock_known_ || !answer.reply) return;
    clock_known_ = true;
    const double server = server_now(answer);
    skew_ = server - wall_now();
    zero_ = server - seconds(boot_now() - epoch_);
  }

  void add(std::vector<guard::Slice> more) {
    const std::lock_guard lock(mutex_);
    for (guard::Slice& slice : more) {
      if (slices_.size() >= slices_most) slices_.erase(slices_.begin());
      slices_.push_back(std::move(slice));
    }
  }

  bool sleep_until(Duration when) {
    std::unique_lock lock(mutex_);
    const Duration wait = std::max(when - boot_now(), Duration::zero());
    return !stop_.wait_for(lock, wait, [this] { return stopping_; });
  }

  spec::PrometheusSource source_;
  Counters counters_;
  Duration epoch_;
  HttpClient client_;
  bool clock_known_ = false;
  double skew_ = 0, zero_ = 0;
  std::mutex mutex_;
  std::condition_variable stop_;
  bool stopping_ = false;
  std::vector<guard::Slice> slices_;
  std::thread thread_;  // last: it uses all of the above
};

Result<void> check(const spec::PrometheusSource& source) {
  if (!source.url.starts_with("http://") && !source.url.starts_with("https://"))
    return fail(Blame::input, "Prometheus URL '", source.url, "' must start with http:// or https://");
  if (source.every <= Duration::zero() || source.scrape <= Duration::zero())
    return fail(Blame::input, "Prometheus '", source.url, "': every and scrape must be longer than nothing");
  return {};
}

// ---- history

std::string promql_seconds(Duration duration) {
  return std::to_string(std::max<std::int64_t>(1, std::chrono::duration_cast<std::chrono::seconds>(duration).count())) + "s";
}

std::string increase(const Expression& expression, Duration window) {
  const bool plain = expression.summed || expression.selector;
  const std::string range = plain ? expression.text + "[" + promql_seconds(window) + "]"
                                  : "(" + expression.text + ")[" + promql_seconds(window) + ":" + promql_seconds(window / 1000) + "]";
  return "sum(increase(" + range + "))";
}

class Past {
 public:
  explicit Past(const spec::PrometheusSource& source) : source_(source) {}

  Result<std::optional<double>> value(const std::string& query) {
    const Answer answer = ask(client_, source_, query, now_, std::chrono::seconds(10));
    if (!answer.reply) return pass(answer.reply.error());
    if (!answer.reply->warnings.empty())
      return fail(Blame::system, source_.url, ": the answer may be partial: ", answer.reply->warnings[0]);
    if (answer.reply->samples.empty()) return std::optional<double>();
    const double value = answer.reply->samples.front().value;
    if (!std::isfinite(value)) return fail(Blame::system, source_.url, ": '", query, "' is ", value);
    return std::optional(value);
  }

  // Looks further and further back, until the first sample is clearly inside of what it looked at.
  Result<Duration> covered(const Expression& total, Duration window) {
    for (const int part : {4096, 512, 64, 8, 1}) {
      const Duration back = std::max<Duration>(window / part, std::min<Duration>(window, std::chrono::minutes(5)));
      const std::string range = "[" + promql_seconds(back) + ":" + promql_seconds(back / 500) + "]";
      const auto first = TRY(value("min(min_over_time(timestamp(" + total.selectors.front() + ")" + range + "))"));
      if (!first) continue;
      const Duration seen(static_cast<std::int64_t>(std::max(now_ - *first, 0.0) * 1e9));
      if (seen < back * 95 / 100 || back == window) return std::min(seen, window);
    }
    return Duration::zero();
  }

 private:
  const spec::PrometheusSource& source_;
  HttpClient client_;
  double now_ = wall_now();
};

}  // namespace

Result<std::unique_ptr<Source>> prometheus(const spec::PrometheusSource& source, Duration, Duration epoch) {
  TRY(check(source));
  const Duration stale = source.scrape * 5 / 2 + source.every;
  Counters counters(TRY(analyse(source.bad)), TRY(analyse(source.total)), stale);
  return std::unique_ptr<Source>(std::make_unique<Prometheus>(source, std::move(counters), epoch));
}

Result<History> prometheus_history(const spec::PrometheusSource& source, Duration window) {
  TRY(check(source));
  const Expression bad = TRY(analyse(source.bad));
  const Expression total = TRY(analyse(source.total));
  Past past(source);
  const auto events = TRY(past.value(increase(total, window)));
  if (!events) return fail(Blame::missing, source.url, ": no series for '", source.total, "' in the last ", to_text(window));
  History history;
  history.events = *events;
  history.bad = TRY(past.value(increase(bad, window))).value_or(0);
  history.covered = TRY(past.covered(total, window));
  return history;
}

}  // namespace arashi::sli
