#include "experiments/engine/run_loop.hpp"

#include <poll.h>

#include <array>

namespace arashi::engine {

namespace {

class Loop {
 public:
  Loop(run::Runner& runner, Hands& hands, Duration epoch) : runner_(runner), hands_(hands), epoch_(epoch) {}

  // One event: its commands are under way before anything else is done.
  void give(const run::Happening& happening) {
    for (const auto& command : runner_.step(happening, now())) hands_.carry_out(command);
  }
  void round(Stop& stop) {
    while (const auto by = stop.take()) give(run::StopAsked{*by});
    hands_.collect(now());
    for (const auto& happening : hands_.inbox().take()) give(happening);
    give(run::Tick{});
  }
  [[nodiscard]] Duration now() const { return boot_now() - epoch_; }

 private:
  run::Runner& runner_;
  Hands& hands_;
  Duration epoch_;
};

}  // namespace

run::RunResult run_loop(run::Runner& runner, Hands& hands, const std::vector<Observer*>& observers, Stop& stop, Duration epoch) {
  Loop loop(runner, hands, epoch);
  constexpr int beat = 50;  // milliseconds
  while (true) {
    const auto before = runner.state();
    loop.round(stop);
    if (runner.state() == run::State::done) break;
    for (auto* observer : observers) observer->look(runner, loop.now());
    std::array<pollfd, 2> waits{{{stop.readable(), POLLIN, 0}, {hands.inbox().readable(), POLLIN, 0}}};
    const bool goes_on = runner.state() != before;  // into a state that may be over already
    ::poll(waits.data(), waits.size(), goes_on ? 0 : beat);
  }
  for (auto* observer : observers) observer->end(runner, loop.now());
  return runner.result();
}

}  // namespace arashi::engine
