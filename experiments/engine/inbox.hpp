// What happened, from many threads to the one loop of a run.
#pragma once

#include "experiments/run/runner.hpp"
#include "injector/core/fd.hpp"

#include <mutex>
#include <vector>

namespace arashi::engine {

class Inbox {
 public:
  Inbox();
  void put(run::Happening happening);                         // from any thread
  std::vector<run::Happening> take();                         // all there is, without waiting
  [[nodiscard]] int readable() const { return bell_.get(); }  // an eventfd to poll

 private:
  std::mutex mutex_;
  std::vector<run::Happening> waiting_;
  Fd bell_;
};

}  // namespace arashi::engine
