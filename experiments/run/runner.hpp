// The runner's core: events and time in, commands out. Pure; one loop in engine/engine.cpp does the I/O, and a test drives it with a
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
struct Tick {};   // at least every 100 ms
struct Planned {  // by what the agents answered
  plan::Plan plan;
};
struct PastRead {  // what the SLOs' sources remember, and what other runs here were promised
  guard::Config config;
};
struct NotPrepared {  // the past, or a source, cannot be read
  Error error;
};
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
struct AgentDied {  // one that this run has started: no process of it is left to revert by itself
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
using Happening = std::variant<Tick, Planned, PastRead, NotPrepared, SliceSeen, InjectDone, RevertDone, StatusSeen, LeaseOpened, AgentDied,
                               LeaseFailed, CheckDone, LoadSeen, LoadFailed, StopAsked>;

// ---- what to do; the loop carries them out side by side, none waits for another
struct MakePlan {};     // asks the agents
struct ReadPast {};     // asks the SLOs' sources
struct OpenSources {};  // those of the SLOs that no load measures
struct StartLoad {};
struct StopLoad {};
struct RunCheck {
  std::string name, when;
};
struct OpenLeases {  // and renew them from now on every ttl/3
  std::vector<std::string> agents;
};
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
using Command = std::variant<MakePlan, ReadPast, OpenSources, StartLoad, StopLoad, RunCheck, OpenLeases, Inject, RevertOne, RevertAll,
                             AskStatus, Finish>;

inline constexpr Duration lease_ttl = std::chrono::seconds(5);  // an agent that hears nothing for so long takes its faults back
// How much longer than planned an agent may keep a fault whose end this runner does not ask for.
inline constexpr Duration overtime = std::chrono::seconds(5);
// A loop that is not called for so long (it is every 50 ms) has not watched: the runner was stopped, starved or suspended.
inline constexpr Duration standstill = std::chrono::seconds(2);
// So long an agent may take to confirm that everything is reverted; after that something may be left behind.
inline constexpr Duration revert_bound = lease_ttl + std::chrono::seconds(10);

class Runner {
 public:
  Runner(spec::Experiment experiment, std::string run_id);
  ~Runner();
  std::vector<Command> step(const Happening& event, Duration now);
  [[nodiscard]] State state() const;
  [[nodiscard]] const RunResult& result() const;  // grows while it runs: the live view draws from it
  // The guard's, as soon as the past is read.
  [[nodiscard]] const std::optional<guard::Config>& config() const;
  // What the guard was told and asked since forget_inputs(), in order, for guard.jsonl: replaying all of it gives the same verdicts.
  [[nodiscard]] const std::vector<guard::Input>& guard_inputs() const;
  void forget_inputs();  // all who want them have them; a long run would hold them all

 private:
  struct Inside;
  std::unique_ptr<Inside> inside_;
};

}  // namespace arashi::run
