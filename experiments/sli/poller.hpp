// What every source that asks now and then has in common: a thread of its own, one question in flight, a rhythm that a slow answer does
// not speed up, an end at any moment. Private to this folder.
#pragma once

#include "experiments/sli/sli.hpp"

#include <condition_variable>
#include <functional>
#include <mutex>
#include <random>
#include <stop_token>
#include <thread>

namespace arashi::sli {

struct Polled {
  std::vector<guard::Slice> slices;
  Duration leave_alone{};  // the other side wants no question for so long
};

struct Rhythm {
  Duration every{};
  double jitter = 0;                                       // of `every`: so that many runners do not ask at the same moment
  Duration longest_answer = std::chrono::milliseconds(0);  // 0: nine tenths of `every`, at most 2 s
};

// Shorter than the period, so that one answer is over before the next question; and short enough to stop by.
Duration answer_time(const Rhythm& rhythm);

class Poller final : public Source {
 public:
  // Called in the poller's thread. Returns within `timeout`, or soon after a stop was requested.
  using Ask = std::function<Polled(Duration timeout, const std::stop_token& stop)>;
  Poller(Rhythm rhythm, Ask ask);

  std::vector<guard::Slice> drain() override;

 private:
  void run(const std::stop_token& stop);
  [[nodiscard]] Duration next_after(Duration begun, Duration leave_alone);
  bool sleep_until(Duration when, const std::stop_token& stop);

  Rhythm rhythm_;
  Ask ask_;
  std::mt19937_64 random_{std::random_device{}()};
  std::mutex mutex_;
  std::condition_variable_any wake_;
  std::vector<guard::Slice> slices_;
  std::jthread thread_;  // last: it uses all of the above
};

// A slice without counts: what is wrong, noticed at `now`; `newest`: up to when all is known.
guard::Slice notice(guard::Freshness state, Duration now, Duration newest, std::string problem);

}  // namespace arashi::sli
