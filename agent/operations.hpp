// What the API's paths do, behind policy and leases. Thread-safe: each call runs on its caller's thread.
#pragma once

#include "agent/channel.hpp"
#include "agent/lease.hpp"
#include "agent/metrics.hpp"
#include "agent/policy.hpp"
#include "agent/protocol/protocol.hpp"
#include "agent/routes.hpp"
#include "injector/fault.hpp"
#include "injector/injector.hpp"

#include <condition_variable>
#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

namespace arashi {

// The machine's side of it: the Injector in the agent, something that remembers in the tests.
class Faults {
 public:
  virtual ~Faults() = default;
  [[nodiscard]] virtual const Host& host() const = 0;
  virtual Result<std::vector<Victim>> resolve(const Selector& selector) = 0;
  // What the policy is to judge.
  virtual Result<Subject> look_at(std::string_view fault, const Victim& victim, Duration duration) = 0;
  virtual Result<PreparedRecord> prepare(const std::string& fault, const Request& request) = 0;
  virtual Result<Injection> inject(const std::string& fault, const Request& request) = 0;
  virtual std::vector<Reverted> revert(std::string_view experiment, std::string_view id) = 0;
  virtual std::vector<Injection> status() = 0;
  [[nodiscard]] virtual std::size_t live() const = 0;
  [[nodiscard]] virtual std::size_t live_of(std::string_view experiment) const = 0;
  virtual std::vector<Capability> capabilities() = 0;
};

// The fault table as it travels.
std::vector<protocol::FaultText> fault_texts();
// What is wrong with each, whatever the machine and the victim; "" where nothing is. What only another version knows is not judged.
std::vector<std::string> problems_of(const std::vector<protocol::Ask>& asked);

class Operations {
 public:
  Operations(Faults& faults, Policy policy, std::string node);

  // The answer to a call that came through the api process; never throws.
  Answer answer(const Call& call);

  // Whether this path answers at once, so that the event loop itself may run it.
  static bool is_quick(Route route) { return route == Route::lease || route == Route::health; }
  // Whether this path may take long: then it may not hold up a halt.
  static bool is_slow(Route route) {
    return route == Route::inject || route == Route::prepare || route == Route::resolve || route == Route::capabilities;
  }

  // Leases whose time is up, and what is to be done about each: on a thread that may wait.
  std::vector<std::string> take_expired(Duration now);
  std::vector<Reverted> revert_expired(const std::string& experiment);
  std::optional<Duration> next_lease_end();

  // Refuses everything from now on, and takes back all there is; what was just being injected too. False if something is left at `end`,
  // which is not waited for where all of it was stuck before and is after a few more tries: that is for the next agent or for a person.
  bool close(Duration end);

  void count(const std::vector<Reverted>& reverted);

 private:
  std::set<std::string> stuck();  // ids
  using Reply = Result<std::string>;
  Reply dispatch(const RouteEntry& entry, const Call& call);
  Reply about();
  Reply capabilities();
  Reply resolve(const Call& call);
  Reply prepare(const Call& call);
  Reply inject(const Call& call);
  Reply inject_admitted(const protocol::InjectRequest& asked, const Request& request, Leases::Term term);
  Reply lease(const Call& call);
  Reply revert(const Call& call);
  Reply halt(const Call& call);
  Reply status();
  Reply metrics();

  Result<void> check(const protocol::InjectRequest& asked);
  // Counts the injection as one of those allowed at a time, until leave().
  Result<Leases::Term> enter(const protocol::InjectRequest& asked, const Subject& subject);
  void leave(const std::string& id, const char* outcome);
  std::size_t living(const std::string& except);
  std::string reverted(const std::vector<Reverted>& outcomes);

  Faults& faults_;
  const Policy policy_;
  const std::string node_;
  std::mutex mutex_;  // of all below
  std::condition_variable left_;
  Leases leases_;
  static constexpr int most_tries_of_stuck = 6;  // at the end
  Ends ended_;                                   // halted: they get no lease any more
  Tally counters_;
  std::set<std::string> entered_;  // ids between enter() and leave()
  bool closed_ = false;
  std::once_flag asked_capabilities_;
  std::vector<Capability> capabilities_;
};

}  // namespace arashi
