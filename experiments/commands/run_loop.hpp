// The one loop of a run: events to the runner, its commands to the hands, what came of it to the folder and the terminal.
#pragma once

#include "experiments/commands/hands.hpp"
#include "experiments/commands/run_folder.hpp"
#include "injector/core/fd.hpp"

#include <csignal>
#include <memory>
#include <optional>
#include <string>

namespace arashi::commands {

// ^C, SIGTERM and SIGHUP become events from here on: in this thread and those it starts. Programs we start get them back.
class StopSignals {
 public:
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;
  [[nodiscard]] int readable() const { return fd_.get(); }
  std::optional<std::string> take();  // "^C", "SIGTERM", "SIGHUP"

 private:
  Fd fd_;
  sigset_t before_{};
};

enum class Show { picture, lines, nothing };

// On stdout; with `on_stderr` there, because stdout is for JSON.
class Screen {
 public:
  Screen(Show show, bool on_stderr);
  // At most four times a second, unless `now_or_never`.
  void draw(const spec::Experiment& experiment, const run::Runner& runner, Duration now);
  void finish(const spec::Experiment& experiment, const run::Runner& runner, Duration now);

 private:
  class Lines;
  Show show_;
  std::size_t out_ = 0;
  std::shared_ptr<Lines> lines_;
  Scribe scribe_;
  Duration drawn_{};
  int height_ = 0;
};

// Runs to the end. `epoch` is the run's start.
run::RunResult run_loop(const spec::Experiment& experiment, run::Runner& runner, Hands& hands, RunFolder& folder, Screen& screen,
                        StopSignals& signals, Duration epoch);

}  // namespace arashi::commands
