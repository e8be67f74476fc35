#include "experiments/engine/node_line.hpp"

namespace arashi::engine {
namespace {

bool tell_failure(Inbox& inbox, const std::string& agent, const Error& error, bool expired) {
  const bool halted = error.code == Code::halted;
  if (halted)
    inbox.put(run::StopAsked{"`arashi halt` (" + error.message + ")"});
  else
    inbox.put(run::LeaseFailed{.agent = agent, .problem = error.message, .expired = expired});
  return !halted;
}

}  // namespace

NodeLine::NodeLine(std::shared_ptr<fleet::Agent> agent, std::shared_ptr<Inbox> inbox, std::string experiment)
    : agent_(std::move(agent)), inbox_(std::move(inbox)), experiment_(std::move(experiment)) {}

void NodeLine::open_lease() {
  fleet::LeaseNews news;
  news.opened = [inbox = inbox_, name = agent_->name()] { inbox->put(run::LeaseOpened{name}); };
  news.failed = [inbox = inbox_, name = agent_->name()](const Error& error, bool expired) {
    return tell_failure(*inbox, name, error, expired);
  };
  lease_ =
      std::make_unique<fleet::Lease>(agent_, protocol::LeaseRequest{.experiment = experiment_, .ttl = run::lease_ttl}, std::move(news));
}

void NodeLine::revert_all() {
  agent_->revert({.experiment = experiment_, .id = {}}, [inbox = inbox_, name = agent_->name()](Result<protocol::RevertReply> reply) {
    run::RevertDone done{.agent = name, .id = {}, .ok = reply.has_value()};
    if (reply) done.outcomes = std::move(reply->outcomes);
    if (!reply) done.problem = reply.error().message;
    inbox->put(std::move(done));
  });
  if (lease_) lease_->end();
}

}  // namespace arashi::engine
