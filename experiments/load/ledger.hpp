// The generator's bookkeeping, without clock or socket: which requests are due, which are decided, which seconds are complete.
// Times are CLOCK_BOOTTIME; slices and seconds come out relative to the epoch.
#pragma once

#include "experiments/load/load.hpp"

#include <deque>

namespace arashi::load {

enum class Answer { good, failed, timed_out };

class Ledger {
 public:
  struct Terms {
    std::string name;
    double rate = 1;
    Duration latency{};  // a request older than this is bad; 0: its timeout
    Duration timeout{};
    Duration epoch{}, start{};
  };
  explicit Ledger(Terms terms);

  // Makes the requests that are due, counts those that have become too old, and closes the seconds that are decided.
  void advance(Duration now);
  [[nodiscard]] std::uint64_t due() const { return made_; }  // requests 0 .. due()-1 should have been started by now
  [[nodiscard]] Duration intended(std::uint64_t request) const;
  void started(std::uint64_t request, Duration now);
  void answered(std::uint64_t request, Answer answer, Duration now);
  // No more requests: what is undecided and young is taken out of the counts.
  void finish(Duration now);

  std::vector<guard::Slice> drain();
  [[nodiscard]] Summary summary() const;

 private:
  enum class Fate : std::uint8_t { open, decided };
  struct Bin {  // one second
    Second second;
    std::uint64_t undecided = 0;  // requests not yet good or bad
    std::uint64_t unanswered = 0;
    Histogram latencies;
  };

  [[nodiscard]] std::uint64_t bin_of(std::uint64_t request) const;
  [[nodiscard]] Bin* live_bin(std::uint64_t request);
  Bin& bin_at(std::uint64_t index);
  void decide(std::uint64_t request, Answer answer, bool slow, Duration now);
  void age(Duration now);
  void close(Duration now);
  void retire(Duration now);
  [[nodiscard]] guard::Slice slice_of(const Bin& bin, Duration end) const;

  Terms terms_;
  Duration patience_;  // age at which an undecided request is bad
  std::uint64_t made_ = 0, started_ = 0;
  Duration last_start_{};
  std::deque<Fate> fates_;  // of the requests from first_fate_ on; older ones are all decided
  std::uint64_t first_fate_ = 0;
  std::deque<Bin> bins_;  // from first_bin_ on: seconds whose latencies may still change
  std::uint64_t first_bin_ = 0, next_slice_ = 0;
  std::vector<guard::Slice> slices_;  // closed, not yet drained
  Summary summary_;
};

}  // namespace arashi::load
