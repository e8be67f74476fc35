// One agent, whatever is behind it: a node's daemon over HTTPS or a unix socket, the embedded one, a fake in a test. Asking returns at
// once; the answer comes later.
#pragma once

#include "agent/protocol/protocol.hpp"
#include "experiments/fleet/loop.hpp"

#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <vector>

namespace arashi::fleet {

// Called exactly once, with the answer or with the reason why there is none; on the loop's thread, which it must not hold up.
template <class Reply>
using Then = std::function<void(Result<Reply>)>;

struct Terms {
  Duration patience{};   // from asking to the answer; zero: as long as this kind of request may take
  std::stop_token stop;  // cancels it: its answer is then an error, at once
};

class Agent {
 public:
  explicit Agent(std::shared_ptr<Loop> loop) : loop_(std::move(loop)) {}
  virtual ~Agent() = default;
  Agent(const Agent&) = delete;
  Agent& operator=(const Agent&) = delete;

  [[nodiscard]] virtual const std::string& name() const = 0;
  [[nodiscard]] Loop& loop() const { return *loop_; }
  virtual void about(Then<protocol::About> then, Terms terms = {}) = 0;  // refuses an agent that speaks another protocol version
  virtual void capabilities(Then<protocol::CapabilitiesReply> then, Terms terms = {}) = 0;
  virtual void resolve(const Selector& selector, Then<protocol::ResolveReply> then, Terms terms = {}) = 0;
  virtual void prepare(const protocol::InjectRequest& request, Then<protocol::PrepareReply> then, Terms terms = {}) = 0;
  virtual void inject(const protocol::InjectRequest& request, Then<protocol::InjectReply> then, Terms terms = {}) = 0;
  virtual void status(Then<protocol::StatusReply> then, Terms terms = {}) = 0;
  // These have a warm connection of their own and wait for nothing else; the last two overtake all that has not been sent yet.
  virtual void lease(const protocol::LeaseRequest& request, Then<protocol::LeaseReply> then, Terms terms = {}) = 0;
  virtual void revert(const protocol::RevertRequest& request, Then<protocol::RevertReply> then, Terms terms = {}) = 0;
  virtual void halt(const protocol::HaltRequest& request, Then<protocol::RevertReply> then, Terms terms = {}) = 0;

 private:
  std::shared_ptr<Loop> loop_;  // it lives as long as an agent needs it
};

using AgentList = std::vector<std::shared_ptr<Agent>>;

}  // namespace arashi::fleet
