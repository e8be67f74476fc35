// Carries out what the runner asks, side by side: no command waits for another, and what comes of it lands in the inbox.
#pragma once

#include "experiments/engine/budget_ledger.hpp"
#include "experiments/engine/job.hpp"
#include "experiments/engine/node_line.hpp"
#include "experiments/load/load.hpp"
#include "experiments/spec/spec.hpp"

#include <condition_variable>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

namespace arashi::engine {

class Hands {
 public:
  // `epoch`: CLOCK_BOOTTIME at which the run began.
  Hands(Job job, Agents agents, Duration epoch);
  ~Hands();  // ends what is still under way; leaves what does not end within two seconds
  Hands(const Hands&) = delete;
  Hands& operator=(const Hands&) = delete;

  void carry_out(const run::Command& command);
  // The slices that closed since the last call go to the inbox, and once a second the loads' summaries.
  void collect(Duration now);
  Inbox& inbox() { return *shared_->inbox; }

 private:
  // What a thread or an answer that outlives us may still touch.
  struct Shared {
    std::shared_ptr<Inbox> inbox = std::make_shared<Inbox>();
    std::mutex mutex;
    std::condition_variable changed;
    std::size_t under_way = 0;
    std::set<std::string> recovering;    // agents whose `recover` is under way
    std::set<std::string> asked;         // agents whose status is under way
    std::optional<BudgetLedger> ledger;  // the promise stands as long as this
    std::stop_source stop;               // ends what is under way
  };
  struct Place {
    std::size_t slo = 0, source = 0;  // which of the experiment's SLOs, which of that one's measures
  };
  struct Running {
    std::string load;
    std::vector<std::pair<Place, Duration>> counted_by;  // and with which latency
    std::shared_ptr<load::Generator> generator;
  };

  void carry(const run::MakePlan& command);
  void carry(const run::ReadPast& command);
  void carry(const run::OpenSources& command);
  void carry(const run::StartLoad& command);
  void carry(const run::StopLoad& command);
  void carry(const run::RunCheck& command);
  void carry(const run::OpenLeases& command);
  void carry(const run::Inject& command);
  void carry(const run::RevertOne& command);
  void carry(const run::RevertAll& command);
  void carry(const run::AskStatus& command);
  void carry(const run::Finish& command);
  void aside(std::function<void(Shared&)> work);
  [[nodiscard]] fleet::Terms terms() const { return {.patience = {}, .stop = shared_->stop.get_token()}; }
  Result<void> open_sources();
  bool recovered_by_us(const std::string& agent, const std::string& id);

  Job job_;
  std::set<std::string> dead_;  // of those that this run has started
  Agents agents_;
  Duration epoch_, summed_{};
  std::shared_ptr<Shared> shared_ = std::make_shared<Shared>();
  std::map<std::string, std::unique_ptr<NodeLine>> lines_;  // of the agents that are leased
  std::vector<Running> loads_;
  std::vector<std::pair<Place, std::unique_ptr<sli::Source>>> sources_;
};

// One check of a spec, to its end or its timeout.
run::CheckResult run_check(const spec::Check& check, const std::string& when, const std::string& directory, Duration epoch);

}  // namespace arashi::engine
