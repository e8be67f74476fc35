// Keeps an experiment's lease at one agent: a timer of the loop, and no thread of its own.
#pragma once

#include "experiments/fleet/agent.hpp"

#include <functional>
#include <memory>

namespace arashi::fleet {

// What becomes of it; called on the loop's thread.
struct LeaseNews {
  std::function<void()> opened;  // once
  // `expired`: by now the agent has reverted everything of the experiment. False: it is not tried again.
  std::function<bool(const Error& error, bool expired)> failed;
};

class Lease {
 public:
  // Opens it at once and renews it every third of its time; after a failure again soon. It ends with this object at the latest.
  Lease(std::shared_ptr<Agent> agent, protocol::LeaseRequest request, LeaseNews news);
  ~Lease();
  Lease(const Lease&) = delete;
  Lease& operator=(const Lease&) = delete;
  // Nothing is renewed or told any more once the loop has heard of it; a renewal under way is cancelled. From any thread.
  void end();

 private:
  struct Inside;
  std::shared_ptr<Inside> inside_;
};

}  // namespace arashi::fleet
