// Threads that are made when needed and never end while the pool lives: a parent-death signal follows the thread that started a child.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace arashi {

class Pool {
 public:
  explicit Pool(std::size_t most_threads) : most_(most_threads) {}
  Pool(const Pool&) = delete;
  Pool& operator=(const Pool&) = delete;
  ~Pool();  // waits for what runs and what waits

  // Starts at once on an idle thread or a new one; waits its turn only when all `most_threads` are busy.
  void run(std::function<void()> work);

 private:
  void serve();
  const std::size_t most_;
  std::mutex mutex_;
  std::condition_variable wanted_;
  std::deque<std::function<void()>> waiting_;
  std::size_t idle_ = 0;
  bool ending_ = false;
  std::vector<std::jthread> threads_;
};

}  // namespace arashi
