// What a Runner keeps. Its functions are spread over runner.cpp (states), preparing.cpp, events.cpp (what it is told), checks.cpp,
// timeline.cpp (injections and their evidence), reverting.cpp and verdict.cpp.
#pragma once

#include "experiments/run/runner.hpp"
#include "experiments/run/streak.hpp"

#include <map>
#include <set>

namespace arashi::run {

std::string first_reason(const guard::Verdict& verdict);              // it names its SLO
inline constexpr Duration recovered_after = std::chrono::seconds(3);  // so long all must be well in a row

enum class Phase { waiting, asked, active, closing, reverting, over };

struct Node {  // an agent
  bool leased = false;
  bool clean = false;    // confirmed since RevertAll that nothing of ours is left
  bool pending = false;  // one of its injections is not over; advance_reverting keeps it
  Duration retry_at{};
  std::string problem;  // of its last failed revert
};

// One planned injection; in the order of plan.injections and result.faults.
struct Course {
  Node* node = nullptr;  // its agent
  Phase phase = Phase::waiting;
  Duration since{};    // when the phase began
  Duration ends_at{};  // when active: when its revert is due
  Duration retry_at{};
  int unlisted = 0;  // answers in a row in which its agent did not list it
};

struct Awaited {  // checks that are running, by name
  Duration until{};
};

// The stages of winding up, in which the state's name no longer changes.
enum class Closing { no, load, checks };

// A source of an SLO that must be well before the start, and again after the end.
struct Watched {
  std::size_t slo = 0, source = 0;
  std::string name;  // the SLO's, and the source's where it has several
  Streak streak;
  std::optional<Duration> recovered;
};

struct Runner::Inside {
  Inside(spec::Experiment experiment_, std::string run_id);

  // events
  void take(const Tick& tick, Duration now);
  void take(const Planned& planned, Duration now);
  void take(const PastRead& read, Duration now);
  void take(const NotPrepared& failed, Duration now);
  void take(const SliceSeen& seen, Duration now);
  void take(const InjectDone& done, Duration now);
  void take(const RevertDone& done, Duration now);
  void take(const StatusSeen& seen, Duration now);
  void take(const LeaseOpened& opened, Duration now);
  void take(const AgentDied& died, Duration now);
  void take(const LeaseFailed& failed, Duration now);
  void take(const CheckDone& done, Duration now);
  void take(const LoadSeen& seen, Duration now);
  void take(const LoadFailed& failed, Duration now);
  void take(const StopAsked& asked, Duration now);

  // time: what is due in the present state
  void advance(Duration now);
  void advance_preparing(Duration now);
  void advance_checking(Duration now);
  void advance_steady(Duration now);
  void advance_timeline(Duration now);
  void advance_reverting(Duration now);
  void advance_recovering(Duration now);
  void advance_closing(Duration now);

  // states
  void enter(State next, Duration now);
  void start_if_guarded(Duration now);
  void start_injecting(Duration now);
  void start_reverting(Duration now);
  void notice_standstill(Duration now);
  void stop(Outcome why, const std::string& reason, Duration now);  // ends the timeline early: RevertAll first
  void wind_up(Duration now);                                       // from wherever: leases, load, after checks, Finish
  void close(Duration now);                                         // load, after checks, Finish
  void finish(Duration now);
  void conclude(Outcome why, const std::string& reason);  // the gravest stays, its reason stands first

  // timeline.cpp
  void start_due(Duration now);
  void inject(std::size_t index, Duration now);
  bool must_wait(std::size_t index) const;  // for the end of one that owns the same claim
  void end_due(Duration now);
  void revert_one(std::size_t index, Duration now);
  void retry_reverts(Duration now);
  void give_up_unanswered(Duration now);
  void learn(std::size_t index, const protocol::InjectionStatus& status, Duration now);
  void miss(std::size_t index, Duration now);
  void mark_over(std::size_t index, Step step, const std::string& problem, Duration now);
  std::optional<std::size_t> find(const std::string& id) const;
  bool anything_active_ever() const;

  // reverting.cpp
  std::set<std::string> take_outcomes(const RevertDone& done, Node& node, Duration now);  // the ids that are stuck
  void mark_unlisted(const RevertDone& done, const Node& node, const std::set<std::string>& stuck, Duration now);
  std::vector<std::string> ask_the_dirty(Duration now);
  [[nodiscard]] std::string unconfirmed_on(const std::string& agent) const;
  void conclude_left_behind(const std::vector<std::string>& dirty);
  void settle_last_revert(Duration now);

  // checks
  void run_checks(const std::string& when, Duration now);
  void run_due_checks(Duration now);
  void expire_checks(Duration now);

  void evaluate(Duration now);
  [[nodiscard]] Watched* watched_source(std::size_t slo, std::size_t source);
  void keep(guard::Verdict verdict);
  void watch_first_bad(std::size_t slo, const guard::Slice& slice);

  // verdict.cpp
  void judge();
  std::size_t judge_faults(bool open);
  std::string judge_slos();
  void settle_first_bad();
  void tell_incident();
  void tell_standstill();
  void tell_own();
  void watch_own(const guard::Slice& slice);  // what the runner itself did not send

  [[nodiscard]] bool is_incident(std::size_t slo) const;
  void note(Duration now, const std::string& what, const std::string& detail = {});
  void send(Command command) { commands.push_back(std::move(command)); }
  bool timeline_runs() const { return state == State::injecting || state == State::observing; }

  spec::Experiment experiment;
  std::optional<guard::Config> config;
  std::optional<guard::Guard> guard;  // from the end of preparing on
  RunResult result;
  State state = State::preparing;
  Duration entered{};
  bool asked_to_prepare = false, plan_known = false, begun = false, leases_asked = false, load_started = false, load_settled = false,
       decided = false, hold = false;
  Closing closing = Closing::no;
  Duration closing_since{};
  std::vector<Command> commands;
  std::vector<Course> course;
  std::map<std::string, Node> nodes;
  std::vector<Watched> watched;                    // every authoritative source of every SLO
  std::set<std::size_t> unrecovered;               // SLOs
  std::vector<std::optional<Duration>> first_bad;  // one per SLO, by slices
  std::map<std::string, Awaited> awaited;          // checks
  std::map<std::string, Duration> next_check;      // during
  std::vector<guard::Input> guard_inputs;
  Duration evaluated{}, status_asked{};
  Duration keep_every = std::chrono::milliseconds(950);  // of the verdicts
  std::optional<Duration> stepped;                       // the last step
  struct Standstill {
    Duration from{}, until{};
  };
  std::vector<Standstill> stood_still;  // of the runner, from the first injection to the end
  std::uint64_t not_sent = 0;           // requests, since the first injection
  std::string not_sent_why;
};

}  // namespace arashi::run
