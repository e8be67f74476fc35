// What `arashi run` shows while it runs: a picture that is drawn over itself on a terminal, plain lines elsewhere. Pure text.
#pragma once

#include "experiments/run/runner.hpp"

#include <string>

namespace arashi::commands {

struct Canvas {
  int width = 80;
  bool colour = true;
};

// The whole picture, lines ending in '\n', none wider than the canvas.
std::string picture(const spec::Experiment& experiment, const run::Runner& runner, Duration now, Canvas canvas);

// Moves back over `lines` lines and clears them.
std::string over(int lines);

// Plain lines: each new event, and every five seconds how the SLOs stand.
class PlainLines {
 public:
  std::string next(const run::Runner& runner, Duration now);

 private:
  std::size_t shown_ = 0;
  Duration stood_{};
};

}  // namespace arashi::commands
