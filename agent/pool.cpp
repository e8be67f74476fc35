#include "agent/pool.hpp"

#include <utility>

namespace arashi {

Pool::~Pool() {
  {
    const std::scoped_lock lock(mutex_);
    ending_ = true;
  }
  wanted_.notify_all();
  threads_.clear();
}

void Pool::run(std::function<void()> work) {
  const std::scoped_lock lock(mutex_);
  waiting_.push_back(std::move(work));
  if (waiting_.size() > idle_ && threads_.size() < most_) threads_.emplace_back([this] { serve(); });
  wanted_.notify_one();
}

void Pool::serve() {
  std::unique_lock lock(mutex_);
  for (;;) {
    ++idle_;
    wanted_.wait(lock, [this] { return ending_ || !waiting_.empty(); });
    --idle_;
    if (waiting_.empty()) return;
    const auto work = std::move(waiting_.front());
    waiting_.pop_front();
    lock.unlock();
    work();
    lock.lock();
  }
}

}  // namespace arashi
