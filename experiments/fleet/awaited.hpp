// For a caller that has nothing else to do than to wait for answers.
#pragma once

#include "experiments/fleet/agent.hpp"

#include <condition_variable>
#include <mutex>
#include <utility>

namespace arashi::fleet {

class Awaited {
 public:
  // A completion that wait() waits for. `take` may make others of these; those of agents of one loop never run at the same time.
  template <class Reply, class Take>
  Then<Reply> then(Take take) {
    const std::lock_guard lock(mutex_);
    ++missing_;
    return [this, take = std::move(take)](Result<Reply> reply) mutable {
      take(std::move(reply));
      const std::lock_guard done(mutex_);
      if (--missing_ == 0) all_came_.notify_all();
    };
  }
  // Until each has been called. Not on the loop's thread.
  void wait() {
    std::unique_lock lock(mutex_);
    all_came_.wait(lock, [this] { return missing_ == 0; });
  }

 private:
  std::mutex mutex_;
  std::condition_variable all_came_;
  std::size_t missing_ = 0;
};

// One answer: answer_of<protocol::About>([&](auto then) { agent.about(then); }).
template <class Reply, class Ask>
Result<Reply> answer_of(Ask ask) {
  Awaited awaited;
  std::optional<Result<Reply>> answer;
  ask(awaited.then<Reply>([&answer](Result<Reply> reply) { answer.emplace(std::move(reply)); }));
  awaited.wait();
  return *std::move(answer);
}

}  // namespace arashi::fleet
