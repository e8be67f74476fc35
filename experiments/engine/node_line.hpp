// The two things towards one agent that nothing may hold up: keeping the lease, and reverting everything.
#pragma once

#include "experiments/engine/inbox.hpp"
#include "experiments/fleet/lease.hpp"

#include <memory>
#include <string>

namespace arashi::engine {

class NodeLine {
 public:
  NodeLine(std::shared_ptr<fleet::Agent> agent, std::shared_ptr<Inbox> inbox, std::string experiment);

  void open_lease();  // and renew it, until revert_all or the end
  void revert_all();  // also the end of the lease; returns at once

 private:
  std::shared_ptr<fleet::Agent> agent_;
  std::shared_ptr<Inbox> inbox_;
  std::string experiment_;
  std::unique_ptr<fleet::Lease> lease_;
};

}  // namespace arashi::engine
