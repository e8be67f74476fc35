#include "experiments/commands/terminal.hpp"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>

namespace arashi::commands {

StopSignals::StopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals, number);
  ::pthread_sigmask(SIG_BLOCK, &signals, &before_);
  fd_.reset(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
}

StopSignals::~StopSignals() {
  while (StopSignals::take()) {  // what came too late must not end us now that all is done
  }
  ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

std::optional<std::string> StopSignals::take() {
  signalfd_siginfo info{};
  if (::read(fd_.get(), &info, sizeof info) != sizeof info) return std::nullopt;
  if (info.ssi_signo == SIGINT) return "^C";
  return info.ssi_signo == SIGTERM ? "SIGTERM" : "SIGHUP";
}

Screen::Screen(const spec::Experiment& experiment, Show show, bool on_stderr) : experiment_(experiment), show_(show) {
  const int stream = on_stderr ? STDERR_FILENO : STDOUT_FILENO;
  out_ = scribe_.add(Fd(::fcntl(stream, F_DUPFD_CLOEXEC, 3)), on_stderr ? "stderr" : "stdout");
}

void Screen::look(const run::Runner& runner, Duration now) {
  if (show_ == Show::lines) scribe_.write(out_, lines_.next(runner, now));
  if (show_ != Show::picture || now - drawn_ < std::chrono::milliseconds(250)) return;
  drawn_ = now;
  winsize size{};
  const bool known = ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  const std::string text = picture(experiment_, runner, now, {.width = known ? size.ws_col : 80});
  if (scribe_.offer(out_, over(height_) + text)) height_ = static_cast<int>(std::count(text.begin(), text.end(), '\n'));
}

void Screen::end(const run::Runner& runner, Duration now) {
  scribe_.settle();
  drawn_ = Duration{};
  look(runner, now);
  scribe_.settle();
}

}  // namespace arashi::commands
