// Who looks on while a run goes: the live picture, plain lines, the run's folder, later a server's stream of events.
#pragma once

#include "experiments/run/runner.hpp"

namespace arashi::engine {

// Both are called on the loop's thread, after the commands of a step are under way, and must not wait.
class Observer {
 public:
  virtual ~Observer() = default;
  // After each round: what came since the last call is at the end of the runner's result.
  virtual void look(const run::Runner& runner, Duration now) = 0;
  // Once, when the run is done.
  virtual void end(const run::Runner& runner, Duration now) { look(runner, now); }

 protected:
  Observer() = default;
  Observer(const Observer&) = default;
  Observer& operator=(const Observer&) = default;
};

}  // namespace arashi::engine
