#include "experiments/engine/node_line.hpp"

#include <algorithm>

namespace arashi::engine {

using std::chrono::milliseconds;

NodeLine::NodeLine(std::shared_ptr<fleet::Agent> agent, std::shared_ptr<Inbox> inbox, std::string experiment)
    : agent_(std::move(agent)), inbox_(std::move(inbox)), experiment_(std::move(experiment)) {
  lease_ = std::thread([this] { keep_lease(); });
  revert_thread_ = std::thread([this] { await_revert(); });
}

NodeLine::~NodeLine() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  lease_.join();
  revert_thread_.join();
}

void NodeLine::open_lease() {
  {
    const std::lock_guard lock(mutex_);
    leased_ = true;
  }
  changed_.notify_all();
}

void NodeLine::revert_all() {
  {
    const std::lock_guard lock(mutex_);
    revert_ = true;
    leased_ = false;
  }
  changed_.notify_all();
}

void NodeLine::await_revert() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return revert_ || ending_; });
    if (!revert_) return;
    revert_ = false;
    lock.unlock();
    auto reply = agent_->revert({.experiment = experiment_, .id = {}});
    run::RevertDone done{.agent = agent_->name(), .id = {}, .ok = reply.has_value()};
    if (reply) done.outcomes = std::move(reply->outcomes);
    if (!reply) done.problem = reply.error().message;
    inbox_->put(std::move(done));
    lock.lock();
  }
}

void NodeLine::keep_lease() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return leased_ || ending_; });
    if (ending_) return;
    lock.unlock();
    const Duration began = boot_now();
    const bool again = renew();
    lock.lock();
    if (!again) leased_ = false;
    // After a failure soon again, else when a third of the lease is over.
    const Duration pause = last_renewed_ >= began ? run::lease_ttl / 3 : milliseconds(200);
    changed_.wait_for(lock, pause, [this] { return !leased_ || ending_; });
  }
}

bool NodeLine::renew() {
  const Duration sent = boot_now();
  const auto reply = agent_->lease({.experiment = experiment_, .ttl = run::lease_ttl});
  if (reply) {
    last_renewed_ = sent;
    if (!std::exchange(opened_, true)) inbox_->put(run::LeaseOpened{agent_->name()});
    return true;
  }
  const auto& error = reply.error();
  const bool halted = error.blame == Blame::refused && error.message.find("halted") != std::string::npos;
  if (halted) {
    inbox_->put(run::StopAsked{"`arashi halt` (" + error.message + ")"});
    return false;
  }
  const bool expired = opened_ && boot_now() - last_renewed_ >= run::lease_ttl;
  inbox_->put(run::LeaseFailed{.agent = agent_->name(), .problem = error.message, .expired = expired});
  return true;
}

}  // namespace arashi::engine
