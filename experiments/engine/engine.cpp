#include "experiments/engine/engine.hpp"

#include "experiments/engine/hands.hpp"

#include <poll.h>

#include <algorithm>
#include <array>
#include <exception>

namespace arashi::engine {

namespace {

// The one loop of a run: events to the runner, its commands to the hands, then what came of it to the observers.
class Loop {
 public:
  Loop(run::Runner& runner, Hands& hands, const std::vector<Observer*>& observers, Stop& stop, Duration epoch)
      : runner_(runner), hands_(hands), observers_(observers), stop_(stop), epoch_(epoch) {}

  void run() {
    constexpr int beat = 50;  // milliseconds
    while (true) {
      const auto before = runner_.state();
      round();
      if (runner_.state() == run::State::done) break;
      for (auto* observer : observers_) observer->look(runner_, now());
      runner_.forget_inputs();
      std::array<pollfd, 2> waits{{{stop_.readable(), POLLIN, 0}, {hands_.inbox().readable(), POLLIN, 0}}};
      const bool goes_on = runner_.state() != before;  // into a state that may be over already
      ::poll(waits.data(), waits.size(), goes_on ? 0 : beat);
    }
    for (auto* observer : observers_) observer->end(runner_, now());
    runner_.forget_inputs();
  }

 private:
  // One event: its commands are under way before anything else is done.
  void give(const run::Happening& happening) {
    for (const auto& command : runner_.step(happening, now())) hands_.carry_out(command);
  }
  void round() {
    while (const auto by = stop_.take()) give(run::StopAsked{*by});
    hands_.collect(now());
    for (const auto& happening : hands_.inbox().take()) give(happening);
    give(run::Tick{});
  }
  [[nodiscard]] Duration now() const { return boot_now() - epoch_; }

  run::Runner& runner_;
  Hands& hands_;
  const std::vector<Observer*>& observers_;
  Stop& stop_;
  Duration epoch_;
};

// Out of memory, say. What can still be done is to revert; the leases end all the same.
Result<run::RunResult> broken_off(run::RunResult result, const char* why, Hands& hands) {
  hands.carry_out(run::RevertAll{});
  const bool touched = std::ranges::any_of(result.faults, [](const auto& fault) { return fault.asked_at && !fault.reverted_at; });
  if (!touched) return fail(Blame::system, "unexpected failure: ", why, "; nothing is injected");
  result.outcome = run::Outcome::left_behind;
  result.reasons.insert(result.reasons.begin(), "unexpected failure: " + std::string(why) +
                                                    "; every agent was asked to revert, and does so by " + to_text(run::lease_ttl) +
                                                    " after its last lease at the latest: look with `arashi status`");
  return result;
}

}  // namespace

Result<run::RunResult> carry_out(const Job& job, const Agents& agents, const std::vector<Observer*>& observers, Stop& stop) {
  const std::string started = wall_clock_text();
  const Duration epoch = boot_now();
  run::Runner runner(job.experiment, job.run);
  Hands hands(job, agents, epoch);
  try {
    Loop(runner, hands, observers, stop, epoch).run();
  } catch (const std::exception& error) {
    return broken_off(runner.result(), error.what(), hands);
  }
  if (const auto& failed = runner.result().not_prepared; failed) return pass(*failed);
  auto result = runner.result();
  result.started = started;
  return result;
}

}  // namespace arashi::engine
