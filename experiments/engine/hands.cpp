#include "experiments/engine/hands.hpp"

#include "experiments/sli/open.hpp"
#include "experiments/stop_scope.hpp"

#include <algorithm>

namespace arashi::engine {

using std::chrono::seconds;

Hands::Hands(Job job, Agents agents, Duration epoch) : job_(std::move(job)), agents_(std::move(agents)), epoch_(epoch) {}

Hands::~Hands() {
  for (auto& one : loads_)
    if (one.generator) one.generator->stop();
  shared_->stop.request_stop();
  std::unique_lock lock(shared_->mutex);
  shared_->changed.wait_for(lock, seconds(2), [&] { return shared_->under_way == 0; });
}

void Hands::carry_out(const run::Command& command) {
  std::visit([this](const auto& one) { carry(one); }, command);
}

// A thread of its own: these are few and may take long. It holds what it needs, so that it may outlive us.
void Hands::aside(std::function<void(Shared&)> work) {
  {
    const std::lock_guard lock(shared_->mutex);
    ++shared_->under_way;
  }
  std::thread([shared = shared_, work = std::move(work)] {
    {
      const StopScope scope(shared->stop.get_token());
      try {
        work(*shared);
      } catch (const std::exception& error) {  // out of memory, say: better an early end than a run that waits for ever
        shared->inbox->put(run::StopAsked{std::string("an unexpected failure: ") + error.what()});
      }
    }
    const std::lock_guard lock(shared->mutex);
    --shared->under_way;
    shared->changed.notify_all();
  }).detach();
}

void Hands::carry(const run::StartLoad& /*command*/) {
  for (const auto& load : job_.experiment.loads) {
    Running one{.load = load.name};
    std::vector<Duration> latencies;
    for (std::size_t i = 0; i < job_.experiment.slos.size(); ++i)
      for (std::size_t j = 0; j < job_.experiment.slos[i].measures.size(); ++j) {
        const auto& measure = job_.experiment.slos[i].measures[j];
        if (measure.load != load.name) continue;
        one.counted_by.emplace_back(Place{.slo = i, .source = j}, measure.latency);
        latencies.push_back(measure.latency);
      }
    auto generator = load::Generator::start(load, latencies, epoch_);
    if (!generator) {
      shared_->inbox->put(run::LoadFailed{"load '" + load.name + "': " + generator.error().message});
      continue;
    }
    one.generator = std::move(*generator);
    loads_.push_back(std::move(one));
  }
}

void Hands::carry(const run::StopLoad& /*command*/) {
  std::vector<std::shared_ptr<load::Generator>> generators;
  for (const auto& one : loads_) generators.push_back(one.generator);
  aside([generators](Shared& shared) {
    run::LoadSeen seen{.loads = {}, .last = true};
    for (const auto& generator : generators) {
      generator->stop();
      seen.loads.push_back(generator->summary());
    }
    shared.inbox->put(std::move(seen));
  });
}

void Hands::carry(const run::RunCheck& command) {
  const auto check =
      std::find_if(job_.experiment.checks.begin(), job_.experiment.checks.end(), [&](const auto& one) { return one.name == command.name; });
  if (check == job_.experiment.checks.end()) return;
  aside([check = *check, when = command.when, directory = job_.experiment.directory, epoch = epoch_](Shared& shared) {
    shared.inbox->put(run::CheckDone{run_check(check, when, directory, epoch)});
  });
}

// Only of the agents that will be asked for something: a lease elsewhere would only be one more thing that can fail.
void Hands::carry(const run::OpenLeases& command) {
  for (const auto& name : command.agents) {
    const auto agent = agents_.find(name);
    if (agent == agents_.end()) continue;
    lines_[name] = std::make_unique<NodeLine>(agent->second, shared_->inbox, job_.run);
    lines_[name]->open_lease();
  }
}

void Hands::carry(const run::RevertAll& /*command*/) {
  for (const auto& [name, line] : lines_)
    if (!recovered_by_us(name, "")) line->revert_all();
}

void Hands::carry(const run::Inject& command) {
  const auto agent = agents_.find(command.agent);
  if (agent == agents_.end())
    return shared_->inbox->put(
        run::InjectDone{.id = command.request.id, .problem = "no agent '" + command.agent + "' in this run", .blame = Blame::missing});
  const auto told = [inbox = shared_->inbox, id = command.request.id](Result<protocol::InjectReply> reply) {
    run::InjectDone done{.id = id, .ok = reply.has_value()};
    if (reply) done.evidence = std::move(reply->evidence);
    if (!reply) done.problem = reply.error().message;
    if (!reply) done.blame = reply.error().blame;
    inbox->put(std::move(done));
  };
  agent->second->inject(command.request, told, terms());
}

// Where the agent is ours and dead there is nobody else to ask.
bool Hands::recovered_by_us(const std::string& agent, const std::string& id) {
  const auto started = job_.started.find(agent);
  if (started == job_.started.end() || !started->second.ended()) return false;
  {
    const std::lock_guard lock(shared_->mutex);
    if (!shared_->recovering.insert(agent).second) return true;
  }
  aside([agent, id, recover = started->second.recover](Shared& shared) {
    const auto recovered = recover();
    {
      const std::lock_guard lock(shared.mutex);
      shared.recovering.erase(agent);
    }
    run::RevertDone done{.agent = agent, .id = id, .ok = recovered.has_value()};
    if (!recovered) done.problem = recovered.error().message;
    shared.inbox->put(std::move(done));
  });
  return true;
}

void Hands::carry(const run::RevertOne& command) {
  const auto agent = agents_.find(command.agent);
  if (agent == agents_.end() || recovered_by_us(command.agent, command.id)) return;
  const auto told = [inbox = shared_->inbox, name = command.agent, id = command.id](Result<protocol::RevertReply> reply) {
    run::RevertDone done{.agent = name, .id = id, .ok = reply.has_value()};
    if (reply) done.outcomes = std::move(reply->outcomes);
    if (!reply) done.problem = reply.error().message;
    inbox->put(std::move(done));
  };
  agent->second->revert({.experiment = job_.run, .id = command.id}, told, terms());
}

void Hands::carry(const run::AskStatus& /*command*/) {
  for (const auto& [name, line] : lines_) {
    {
      const std::lock_guard lock(shared_->mutex);
      if (!shared_->asked.insert(name).second) continue;
    }
    const auto told = [shared = shared_, name = name](Result<protocol::StatusReply> reply) {
      if (reply) shared->inbox->put(run::StatusSeen{.agent = name, .injections = std::move(reply->injections)});
      const std::lock_guard lock(shared->mutex);
      shared->asked.erase(name);
    };
    agents_.at(name)->status(told, terms());
  }
}

void Hands::carry(const run::Finish& /*command*/) {}

void Hands::collect(Duration now) {
  for (const auto& one : loads_) {
    std::map<Duration, std::vector<guard::Slice>> drained;  // SLOs of the same latency share their slices
    for (const auto& [place, latency] : one.counted_by) {
      const auto [slices, is_new] = drained.try_emplace(latency);
      if (is_new) slices->second = one.generator->drain(latency);
      for (const auto& slice : slices->second) shared_->inbox->put(run::SliceSeen{place.slo, slice, place.source});
    }
  }
  for (const auto& [place, source] : sources_)
    for (const auto& slice : source->drain()) shared_->inbox->put(run::SliceSeen{place.slo, slice, place.source});
  for (const auto& [name, started] : job_.started)
    if (!dead_.contains(name) && started.ended()) {
      dead_.insert(name);
      shared_->inbox->put(run::AgentDied{name});
    }
  if (loads_.empty() || now - summed_ < seconds(1)) return;
  summed_ = now;
  run::LoadSeen seen;
  for (const auto& one : loads_) {
    seen.loads.push_back(one.generator->summary());
    seen.loads.back().seconds.clear();  // the whole course of the load, each second anew: once, at the end, is enough
  }
  shared_->inbox->put(std::move(seen));
}

}  // namespace arashi::engine
