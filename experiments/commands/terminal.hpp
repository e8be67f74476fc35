// The terminal of a run: the keys and signals that stop it, and what it shows while it goes.
#pragma once

#include "experiments/commands/live_view.hpp"
#include "experiments/engine/observer.hpp"
#include "experiments/engine/scribe.hpp"
#include "experiments/engine/stop.hpp"

#include <csignal>
#include <optional>
#include <string>

namespace arashi::commands {

// ^C, SIGTERM and SIGHUP become events from here on: in this thread and those it starts. Programs we start get them back.
class StopSignals : public engine::Stop {
 public:
  StopSignals();
  ~StopSignals() override;
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;
  [[nodiscard]] int readable() const override { return fd_.get(); }
  std::optional<std::string> take() override;  // "^C", "SIGTERM", "SIGHUP"

 private:
  Fd fd_;
  sigset_t before_{};
};

enum class Show { picture, lines, nothing };

// On stdout; with `on_stderr` there, because stdout is for JSON.
class Screen : public engine::Observer {
 public:
  Screen(const spec::Experiment& experiment, Show show, bool on_stderr);  // `experiment` outlives this
  void look(const run::Runner& runner, Duration now) override;            // draws at most four times a second
  void end(const run::Runner& runner, Duration now) override;             // the last picture is always drawn

 private:
  const spec::Experiment& experiment_;
  Show show_;
  std::size_t out_ = 0;
  PlainLines lines_;
  engine::Scribe scribe_;
  Duration drawn_{};
  int height_ = 0;
};

}  // namespace arashi::commands
