#include "experiments/load/ledger.hpp"
#include "experiments/load/load.hpp"
#include "experiments/load/multi.hpp"
#include "experiments/load/requests.hpp"
#include "experiments/load/schedule.hpp"

#include <sys/random.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <thread>

namespace arashi::load {
namespace {

constexpr Duration tick = std::chrono::milliseconds(100);  // how late a hung request may be counted
constexpr std::size_t connections_most = 1000;
constexpr double one_thread = 50'000;  // requests per second that one thread makes on a processor of its own
constexpr Duration horizon = std::chrono::hours(24);

double rate_of(const spec::Load& load) { return spec::most_in_a_second(load, horizon); }

Result<void> check(const spec::Load& load) {
  const bool recorded = !load.arrivals.record.empty();
  if (!recorded && !(std::isfinite(load.rate.per_second) && load.rate.per_second > 0))
    return fail(Blame::input, "load '", load.name, "': the rate must be over 0/s");
  if (load.timeout <= Duration::zero()) return fail(Blame::input, "load '", load.name, "': the timeout must be > 0");
  return {};
}

// As many as are in flight when every request times out, but never so many that this process runs out of file descriptors.
std::size_t connections_of(const spec::Load& load) {
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  const std::size_t room = std::max<std::size_t>(1, std::min<std::size_t>(files.rlim_cur, 1U << 20U) / 2);
  const double wanted = load.connections > 0 ? load.connections : std::ceil(rate_of(load) * seconds(load.timeout));
  const std::size_t most = load.connections > 0 ? room : std::min(room, connections_most);
  return wanted >= static_cast<double>(most) ? most : std::max<std::size_t>(1, static_cast<std::size_t>(wanted));
}

std::size_t threads_of(const spec::Load& load, std::size_t connections) {
  const std::size_t processors = std::max(1U, std::thread::hardware_concurrency());
  const auto wanted = static_cast<std::size_t>(std::ceil(rate_of(load) / one_thread));
  return std::clamp<std::size_t>(wanted, 1, std::min(processors, connections));
}

struct Waiting {
  std::uint64_t request = 0;
  Duration intended{};
};

// What all threads of a load share.
class Book {
 public:
  Book(Ledger::Terms terms, std::size_t threads) : seen_(threads, terms.start), ledger_(std::move(terms)) {}

  struct News {
    std::vector<std::pair<std::uint64_t, Duration>> started;
    std::vector<Finished> finished;
    std::vector<std::pair<std::uint64_t, Duration>> held_up;
    Duration seen{};  // all that had arrived by then is told
  };
  // Takes a thread's news, and gives it its share of what is due; returns when the next request is.
  Duration exchange(std::size_t thread, News& news, std::uint64_t& next, std::deque<Waiting>& waiting) {
    const std::lock_guard lock(mutex_);
    for (const auto& [request, at] : news.started) ledger_.started(request, at);
    for (const auto& [request, by] : news.held_up) ledger_.held_up(request, by);
    for (const Finished& each : news.finished) ledger_.answered(each.request, each.answer, each.arrived, each.why);
    seen_[thread] = news.seen;
    const Duration now = boot_now();
    ledger_.make_due(now);
    for (; next < ledger_.due(); next += seen_.size())  // before their age is looked at: until they are taken on it is not the service's
      if (ledger_.take(next, now)) waiting.push_back({next, *ledger_.intended(next)});
    ledger_.advance(now, *std::ranges::min_element(seen_));
    return ledger_.next_intended().value_or(Duration::max());
  }
  void finish() {
    const std::lock_guard lock(mutex_);
    ledger_.finish(boot_now(), *std::ranges::min_element(seen_));
    finished_ = true;
  }
  std::vector<guard::Slice> drain(Duration latency) {
    const std::lock_guard lock(mutex_);
    if (!finished_) ledger_.advance(boot_now(), *std::ranges::min_element(seen_));
    return ledger_.drain(latency);
  }
  [[nodiscard]] Summary summary() const {
    const std::lock_guard lock(mutex_);
    return ledger_.summary();
  }

 private:
  mutable std::mutex mutex_;
  std::vector<Duration> seen_;  // by thread
  Ledger ledger_;
  bool finished_ = false;
};

// One thread: of all requests those whose number leaves this remainder.
class Shard {
 public:
  Shard(Book& book, std::size_t number, std::unique_ptr<Multi> multi, Duration timeout)
      : book_(book), number_(number), next_(number), timeout_(timeout), multi_(std::move(multi)), thread_([this] { run(); }) {}
  ~Shard() { join(); }
  Shard(const Shard&) = delete;
  Shard& operator=(const Shard&) = delete;

  void stop() {
    stopping_ = true;
    multi_->wake();
  }
  void join() {
    stop();
    if (thread_.joinable()) thread_.join();
  }

 private:
  void run() {
    while (!stopping_) {
      news_.seen = multi_->seen();
      const Duration next = book_.exchange(number_, news_, next_, waiting_);
      news_.started.clear();
      news_.finished.clear();
      news_.held_up.clear();
      begin_waiting();
      multi_->wait(std::min(next, boot_now() + tick));
      multi_->take(news_.finished);
      multi_->take_held_up(news_.held_up);
    }
    book_.exchange(number_, news_, next_, waiting_);
    multi_->end();
  }

  // With all connections busy a request waits, and its age runs; the answers wake us.
  void begin_waiting() {
    while (!waiting_.empty()) {
      const Duration now = boot_now();
      const Waiting first = waiting_.front();
      const bool too_late = now - first.intended >= timeout_;
      if (!too_late && !multi_->room()) return;
      waiting_.pop_front();
      if (too_late) {
        news_.finished.push_back(
            {.request = first.request, .answer = Answer::timed_out, .arrived = now, .why = "timeout before it was sent"});
        continue;
      }
      news_.started.emplace_back(first.request, now);
      if (!multi_->begin(first.request, first.intended))
        news_.finished.push_back(
            {.request = first.request, .answer = Answer::not_sent, .arrived = now, .why = "it makes no request that can be sent"});
    }
  }

  Book& book_;
  std::size_t number_;
  std::uint64_t next_;
  Duration timeout_;
  std::deque<Waiting> waiting_;
  Book::News news_;
  std::unique_ptr<Multi> multi_;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;  // last: it uses all of the above
};

class OpenLoop final : public Generator {
 public:
  OpenLoop(const spec::Load& load, Ledger::Terms terms, std::vector<std::unique_ptr<Multi>> multis)
      : first_latency_(terms.latencies.front()), book_(std::move(terms), multis.size()) {
    for (auto& multi : multis) shards_.push_back(std::make_unique<Shard>(book_, shards_.size(), std::move(multi), load.timeout));
  }
  ~OpenLoop() override { stop(); }
  OpenLoop(const OpenLoop&) = delete;
  OpenLoop& operator=(const OpenLoop&) = delete;

  void stop() override {
    const std::lock_guard once(stop_mutex_);
    for (auto& shard : shards_) shard->stop();
    for (auto& shard : shards_) shard->join();
    if (!std::exchange(stopped_, true)) book_.finish();
  }
  std::vector<guard::Slice> drain() override { return book_.drain(first_latency_); }
  std::vector<guard::Slice> drain(Duration latency) override { return book_.drain(latency); }
  Summary summary() const override { return book_.summary(); }

 private:
  Duration first_latency_;
  Book book_;
  std::mutex stop_mutex_;
  bool stopped_ = false;
  std::vector<std::unique_ptr<Shard>> shards_;  // last: they use the book
};

Result<std::array<std::uint64_t, 2>> unlike_any_other() {
  std::array<std::uint64_t, 2> bytes{};
  if (::getrandom(bytes.data(), sizeof bytes, 0) != sizeof bytes) return sys_fail("getrandom");
  return bytes;
}

std::vector<Duration> patience_of(const spec::Load& load, const std::vector<Duration>& latencies) {
  std::vector<Duration> patience;
  patience.reserve(latencies.size());
  for (const Duration latency : latencies) patience.push_back(latency > Duration{} ? std::min(latency, load.timeout) : load.timeout);
  return patience;
}

}  // namespace

Result<std::unique_ptr<Generator>> Generator::start(const spec::Load& load, const std::vector<Duration>& latencies, Duration epoch) {
  TRY(check(load));
  const auto run = TRY(unlike_any_other());
  const auto requests = std::make_shared<const Requests>(TRY(Requests::make(load, run)));
  const std::size_t connections = connections_of(load);
  const std::size_t threads = threads_of(load, connections);
  std::vector<std::unique_ptr<Multi>> multis;
  for (std::size_t i = 0; i < threads; ++i)
    multis.push_back(TRY(Multi::make(
        load, requests,
        {.connections = connections / threads + (i < connections % threads ? 1 : 0), .patience = patience_of(load, latencies)})));
  const bool steady = !load.arrivals.poisson && load.arrivals.stages.empty() && load.arrivals.record.empty();
  Ledger::Terms terms{.name = load.name,
                      .rate = steady ? load.rate.per_second : 0,
                      .next = [schedule = Schedule(load)]() mutable { return schedule.next(); },
                      .latencies = latencies.empty() ? std::vector<Duration>{Duration{}} : latencies,
                      .timeout = load.timeout,
                      .epoch = epoch,
                      .start = boot_now()};
  return std::unique_ptr<Generator>(std::make_unique<OpenLoop>(load, std::move(terms), std::move(multis)));
}

}  // namespace arashi::load
