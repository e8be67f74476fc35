// The two things towards one agent that nothing may hold up, each on a thread of its own that waits ready: renewing the lease, and
// reverting everything.
#pragma once

#include "experiments/engine/inbox.hpp"
#include "experiments/fleet/fleet.hpp"

#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

namespace arashi::engine {

class NodeLine {
 public:
  NodeLine(std::shared_ptr<fleet::Agent> agent, std::shared_ptr<Inbox> inbox, std::string experiment);
  ~NodeLine();
  NodeLine(const NodeLine&) = delete;
  NodeLine& operator=(const NodeLine&) = delete;

  void open_lease();  // and renew it every third of its time, until revert_all or the end
  void revert_all();  // also the end of the lease; returns at once

 private:
  void keep_lease();
  bool renew();  // false: not to be tried again
  void await_revert();

  std::shared_ptr<fleet::Agent> agent_;
  std::shared_ptr<Inbox> inbox_;
  std::string experiment_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool leased_ = false, revert_ = false, ending_ = false;
  bool opened_ = false;      // of the lease thread alone
  Duration last_renewed_{};  // of the lease thread alone: when the last renewal that worked was sent
  std::thread lease_, revert_thread_;
};

}  // namespace arashi::engine
