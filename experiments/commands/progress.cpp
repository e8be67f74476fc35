#include "experiments/commands/progress.hpp"

#include <unistd.h>

#include <cstdio>

namespace arashi::commands {

Progress::Progress() : terminal_(::isatty(STDERR_FILENO) == 1) {}

Progress::~Progress() {
  if (shown_) std::fputs("\r\x1b[K", stderr);
}

void Progress::show(const std::string& text) {
  const Duration now = boot_now();
  if (!terminal_ || now - last_ < std::chrono::milliseconds(100)) return;
  last_ = now;
  shown_ = true;
  std::fputs(("\r\x1b[K" + text).c_str(), stderr);
}

}  // namespace arashi::commands
