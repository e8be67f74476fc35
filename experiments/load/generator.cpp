#include "experiments/load/ledger.hpp"
#include "experiments/load/load.hpp"
#include "experiments/load/multi.hpp"

#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <thread>

namespace arashi::load {
namespace {

constexpr Duration tick = std::chrono::milliseconds(100);  // how late a hung request may be counted
constexpr std::size_t connections_most = 1000;

Result<void> check(const spec::Load& load) {
  using Url = std::unique_ptr<CURLU, decltype(&curl_url_cleanup)>;
  const Url url(curl_url(), &curl_url_cleanup);
  const CURLUcode code = curl_url_set(url.get(), CURLUPART_URL, load.url.c_str(), 0);
  if (code != CURLUE_OK) return fail(Blame::input, "load '", load.name, "': URL '", load.url, "': ", curl_url_strerror(code));
  if (!load.url.starts_with("http://") && !load.url.starts_with("https://"))
    return fail(Blame::input, "load '", load.name, "': URL '", load.url, "' must start with http:// or https://");
  if (!(std::isfinite(load.rate.per_second) && load.rate.per_second > 0))
    return fail(Blame::input, "load '", load.name, "': the rate must be over 0/s");
  if (load.timeout <= Duration::zero()) return fail(Blame::input, "load '", load.name, "': the timeout must be longer than nothing");
  const bool plain = std::all_of(load.method.begin(), load.method.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
  if (load.method.empty() || !plain)
    return fail(Blame::input, "load '", load.name, "': method '", load.method, "' must be capital letters");
  return {};
}

// As many as are in flight when every request times out, but never so many that this process runs out of file descriptors.
std::size_t connections_of(const spec::Load& load) {
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  const std::size_t room = std::max<std::size_t>(1, std::min<std::size_t>(files.rlim_cur, 1U << 20U) / 2);
  const double wanted = load.connections > 0 ? load.connections : std::ceil(load.rate.per_second * seconds(load.timeout));
  const std::size_t most = load.connections > 0 ? room : std::min(room, connections_most);
  return wanted >= static_cast<double>(most) ? most : std::max<std::size_t>(1, static_cast<std::size_t>(wanted));
}

class OpenLoop final : public Generator {
 public:
  OpenLoop(const spec::Load& load, const Ledger::Terms& terms, std::unique_ptr<Multi> multi)
      : timeout_(load.timeout), ledger_(terms), multi_(std::move(multi)), thread_([this] { run(); }) {}
  ~OpenLoop() override { stop(); }
  OpenLoop(const OpenLoop&) = delete;
  OpenLoop& operator=(const OpenLoop&) = delete;

  void stop() override {
    stopping_ = true;
    multi_->wake();
    const std::lock_guard once(stop_mutex_);
    if (thread_.joinable()) thread_.join();
  }

  std::vector<guard::Slice> drain() override {
    const std::lock_guard lock(mutex_);
    if (!finished_) ledger_.advance(boot_now());
    return ledger_.drain();
  }

  Summary summary() const override {
    const std::lock_guard lock(mutex_);
    return ledger_.summary();
  }

 private:
  void run() {
    while (!stopping_) {
      const Duration next = step();
      multi_->wait(next);
      take_answers();
    }
    {
      const std::lock_guard lock(mutex_);
      ledger_.finish(boot_now());
      finished_ = true;
    }
    multi_->end();
  }

  // Starts what is due and returns when to look again.
  Duration step() {
    std::uint64_t due = 0;
    {
      const std::lock_guard lock(mutex_);
      ledger_.advance(boot_now());
      due = ledger_.due();
    }
    while (next_ < due && start(next_)) ++next_;
    const Duration now = boot_now();
    // With all connections busy the answers wake us; a due request must not make this spin.
    return std::min(now + tick, std::max(ledger_.intended(due), next_ < due ? now + tick : Duration::zero()));
  }

  // False: every connection is busy; the request waits, and its age runs.
  bool start(std::uint64_t request) {
    const Duration now = boot_now();
    const Duration left = timeout_ - (now - ledger_.intended(request));
    if (left <= Duration::zero()) {  // it has timed out before it could be sent
      const std::lock_guard lock(mutex_);
      ledger_.answered(request, Answer::timed_out, now);
      return true;
    }
    if (!multi_->free_connection()) return false;
    const bool begun = multi_->begin(request, left);
    const std::lock_guard lock(mutex_);
    ledger_.started(request, now);
    if (!begun) ledger_.answered(request, Answer::failed, now);
    return true;
  }

  void take_answers() {
    const std::vector<Finished> answers = multi_->finished();
    if (answers.empty()) return;
    const Duration now = boot_now();
    const std::lock_guard lock(mutex_);
    for (const Finished& each : answers) ledger_.answered(each.request, each.answer, now);
  }

  Duration timeout_;
  mutable std::mutex mutex_;
  Ledger ledger_;
  bool finished_ = false;
  std::unique_ptr<Multi> multi_;
  std::uint64_t next_ = 0;
  std::atomic<bool> stopping_ = false;
  std::mutex stop_mutex_;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace

Result<std::unique_ptr<Generator>> Generator::start(const spec::Load& load, Duration latency, Duration epoch) {
  TRY(check(load));
  auto multi = TRY(Multi::make(load, connections_of(load)));
  const Ledger::Terms terms{load.name, load.rate.per_second, latency, load.timeout, epoch, boot_now()};
  return std::unique_ptr<Generator>(std::make_unique<OpenLoop>(load, terms, std::move(multi)));
}

}  // namespace arashi::load
