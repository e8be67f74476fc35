// The runner's core: events and time in, commands out. Pure; one loop in engine/run_loop.cpp does the I/O, and a test drives it with a
// fake clock. Times are since the run's start.
#pragma once

#include "experiments/run/result.hpp"

#include <cstdint>
#include <memory>
#include <string>
#include <variant>
#include <vector>

namespace arashi::run {

// ---- what happened
struct Tick {};  // at least every 100 ms
struct SliceSeen {
  std::size_t slo = 0;
  guard::Slice slice;
  std::size_t source = 0;  // of the SLO's
};
struct InjectDone {
  std::string id;
  bool ok = false;
  std::string problem;
  Blame blame{};
  Evidence evidence;
};
struct RevertDone {
  std::string agent;
  std::string id;  // what was asked for: one injection; empty: all of the experiment
  bool ok = false;
  std::string problem;
  std::vector<protocol::RevertOutcome> outcomes;
};
struct StatusSeen {
  std::string agent;
  std::vector<protocol::InjectionStatus> injections;
};
struct LeaseOpened {
  std::string agent;
};
struct LeaseFailed {
  std::string agent, problem;
  bool expired = false;
};  // expired: the agent has reverted by now
struct CheckDone {
  CheckResult result;
};
struct LoadSeen {
  std::vector<load::Summary> loads;
  bool last = false;  // the load has stopped
};                    // newest, once a second and before the end
struct LoadFailed {
  std::string problem;
};
struct StopAsked {
  std::string by;
};  // ^C, SIGTERM, `arashi halt`
using Happening =
    std::variant<Tick, SliceSeen, InjectDone, RevertDone, StatusSeen, LeaseOpened, LeaseFailed, CheckDone, LoadSeen, LoadFailed, StopAsked>;

// ---- what to do; the loop carries them out side by side, none waits for another
struct StartLoad {};
struct StopLoad {};
struct RunCheck {
  std::string name, when;
};
struct OpenLeases {};  // and renew them from now on every ttl/3
struct Inject {
  std::string agent;
  protocol::InjectRequest request;
};
struct RevertOne {
  std::string agent, id;
};                    // empty id: all of the experiment on this agent, asked again
struct RevertAll {};  // abort or end: one parallel fan-out to every agent
struct AskStatus {};  // evidence of every agent; one that has not answered the last time is not asked again
struct Finish {};     // result() is complete
using Command = std::variant<StartLoad, StopLoad, RunCheck, OpenLeases, Inject, RevertOne, RevertAll, AskStatus, Finish>;

inline constexpr Duration lease_ttl = std::chrono::seconds(5);  // an agent that hears nothing for so long takes its faults back
// How much longer than planned an agent may keep a fault whose end this runner does not ask for.
inline constexpr Duration overtime = std::chrono::seconds(5);
// So long an agent may take to confirm that everything is reverted; after that something may be left behind.
inline constexpr Duration revert_bound = lease_ttl + std::chrono::seconds(10);

class Runner {
 public:
  Runner(spec::Experiment experiment, plan::Plan plan, guard::Guard guard, std::string run_id);
  ~Runner();
  std::vector<Command> step(const Happening& event, Duration now);
  [[nodiscard]] State state() const;
  [[nodiscard]] const RunResult& result() const;  // grows while it runs: the live view draws from it
  // Everything the guard was told and asked, in order, for guard.jsonl: replaying it gives the same verdicts.
  [[nodiscard]] const std::vector<guard::Input>& guard_inputs() const;

 private:
  struct Inside;
  std::unique_ptr<Inside> inside_;
};

}  // namespace arashi::run
