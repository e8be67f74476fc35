// Work that may have to end early without having been written for it: what blocks below (requests, programs, waiting for counts) looks
// here.
#pragma once

#include <stop_token>

namespace arashi {

// From its making to its end, all that this thread waits for ends early, as an error, when `stop` is asked for.
class StopScope {
 public:
  explicit StopScope(std::stop_token stop);
  ~StopScope();
  StopScope(const StopScope&) = delete;
  StopScope& operator=(const StopScope&) = delete;

 private:
  std::stop_token before_;
};

// Of the innermost scope of this thread; one that is never asked for where there is none. A thread that is started for a part of the work
// opens a scope with it.
const std::stop_token& stop_here();

}  // namespace arashi
