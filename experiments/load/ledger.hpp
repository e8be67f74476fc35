// The generator's bookkeeping, without clock or socket: which requests are due, which are decided, which seconds are complete.
// Times are CLOCK_BOOTTIME; slices and seconds come out relative to the epoch.
#pragma once

#include "experiments/load/load.hpp"

#include <deque>
#include <functional>

namespace arashi::load {

// not_sent: or not in time, because the runner itself could not; that says nothing about the service.
enum class Answer { good, failed, timed_out, not_sent };

class Ledger {
 public:
  struct Terms {
    std::string name;
    double rate = 0;                                // a steady one, for the summary; 0: told by what was due
    std::function<std::optional<Duration>()> next;  // the next request's time after the start, in order; nothing: no more
    std::vector<Duration> latencies;                // thresholds: a request older than this is bad; 0: than its timeout
    Duration timeout{};
    Duration epoch{}, start{};
  };
  explicit Ledger(Terms terms);

  // Makes the requests that are due.
  void make_due(Duration now);
  // The same, counts those that have become too old, and closes the seconds that are decided.
  // `seen`: all that had arrived by then was told; what came in time is not too old for being read late.
  void advance(Duration now, Duration seen);
  void advance(Duration now) { advance(now, now); }
  [[nodiscard]] std::uint64_t due() const { return first_request_ + requests_.size(); }  // requests 0 … due()-1 should have been started
  [[nodiscard]] std::optional<Duration> intended(std::uint64_t request) const;           // of one that is due and not long over
  [[nodiscard]] std::optional<Duration> next_intended() const { return next_; }
  // A thread takes it on. False: nobody looked for so long that it is not sent any more.
  [[nodiscard]] bool take(std::uint64_t request, Duration now);
  // By the runner itself, before it was sent: so much of its age is not the service's.
  void held_up(std::uint64_t request, Duration by);
  void started(std::uint64_t request, Duration now);
  // `why`: of what is not good, for people.
  void answered(std::uint64_t request, Answer answer, Duration arrived, const std::string& why = {});
  // No more requests: what is undecided and young is taken out of the counts.
  void finish(Duration now, Duration seen);
  void finish(Duration now) { finish(now, now); }

  // The seconds closed since the last call by this threshold, one of the terms' latencies.
  std::vector<guard::Slice> drain(Duration latency);
  [[nodiscard]] Summary summary() const;

 private:
  struct Request {
    Duration at{}, held_up{};
    bool answered = false;
  };
  struct Tally {  // of one second by one threshold
    std::uint64_t undecided = 0, good = 0, failed = 0, slow = 0, not_sent = 0;
  };
  struct Bin {  // one second
    Second second;
    std::vector<Tally> tallies;
    std::uint64_t unanswered = 0, end = 0;  // the first request that is not in it
    Histogram latencies;
    std::map<std::string, std::uint64_t> problems, not_sent;  // why, and how many
  };
  struct Threshold {
    Duration latency{}, patience{};
    std::uint64_t decided = 0;  // the requests before this one are
    std::uint64_t next_slice = 0;
    std::vector<guard::Slice> slices;  // closed, not yet drained
    ByLatency sum;
  };

  [[nodiscard]] std::uint64_t bin_of(Duration at) const;
  [[nodiscard]] Bin* live_bin(Duration at);
  Bin& bin_at(std::uint64_t index);
  void make_next();
  void decide(std::size_t threshold, Duration at, Answer answer, bool slow, Duration when);
  void tell_why(Duration at, Answer answer, bool ours, const std::string& why);
  void age(std::size_t threshold, Duration seen);
  void close(std::size_t threshold, Duration now);
  void retire(Duration now);
  void settle(Bin& bin, std::size_t threshold);
  [[nodiscard]] guard::Slice slice_of(const Bin& bin, std::size_t threshold, Duration end) const;
  [[nodiscard]] Second second_of(const Bin& bin) const;

  Terms terms_;
  std::vector<Threshold> thresholds_;
  std::optional<Duration> next_;
  std::deque<Request> requests_;  // from first_request_ on; the seconds of older ones are over
  std::uint64_t first_request_ = 0, started_ = 0;
  Duration last_start_{}, last_due_{};
  std::deque<Bin> bins_;  // from first_bin_ on: seconds whose latencies may still change
  std::uint64_t first_bin_ = 0;
  Histogram latencies_;  // of the seconds that are over
  Summary summary_;
};

}  // namespace arashi::load
