#include "experiments/commands/run_loop.hpp"

#include "experiments/commands/live_view.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>

namespace arashi::commands {

using std::chrono::milliseconds;

StopSignals::StopSignals() {
  sigset_t signals;
  sigemptyset(&signals);
  for (const int number : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals, number);
  ::pthread_sigmask(SIG_BLOCK, &signals, &before_);
  fd_.reset(::signalfd(-1, &signals, SFD_CLOEXEC | SFD_NONBLOCK));
}

StopSignals::~StopSignals() {
  while (take()) {  // what came too late must not end us now that all is done
  }
  ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

std::optional<std::string> StopSignals::take() {
  signalfd_siginfo info{};
  if (::read(fd_.get(), &info, sizeof info) != sizeof info) return std::nullopt;
  if (info.ssi_signo == SIGINT) return "^C";
  return info.ssi_signo == SIGTERM ? "SIGTERM" : "SIGHUP";
}

class Screen::Lines : public PlainLines {};

Screen::Screen(Show show, bool on_stderr) : show_(show), lines_(std::make_shared<Lines>()) {
  const int stream = on_stderr ? STDERR_FILENO : STDOUT_FILENO;
  out_ = scribe_.add(Fd(::fcntl(stream, F_DUPFD_CLOEXEC, 3)), on_stderr ? "stderr" : "stdout");
}

void Screen::draw(const spec::Experiment& experiment, const run::Runner& runner, Duration now) {
  if (show_ == Show::lines) scribe_.write(out_, lines_->next(runner, now));
  if (show_ != Show::picture || now - drawn_ < milliseconds(250)) return;
  drawn_ = now;
  winsize size{};
  const bool known = ::ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0;
  const std::string text = picture(experiment, runner, now, {.width = known ? size.ws_col : 80});
  if (scribe_.offer(out_, over(height_) + text)) height_ = static_cast<int>(std::count(text.begin(), text.end(), '\n'));
}

void Screen::finish(const spec::Experiment& experiment, const run::Runner& runner, Duration now) {
  scribe_.settle();
  drawn_ = Duration{};
  draw(experiment, runner, now);
  scribe_.settle();
}

namespace {

class Loop {
 public:
  Loop(run::Runner& runner, Hands& hands, RunFolder& folder, Duration epoch)
      : runner_(runner), hands_(hands), folder_(folder), epoch_(epoch) {}

  // One event: its commands are under way before anything else is done.
  void give(const run::Happening& happening) {
    for (const auto& command : runner_.step(happening, now())) hands_.carry_out(command);
  }
  void round(StopSignals& signals) {
    while (const auto signal = signals.take()) give(run::StopAsked{*signal});
    hands_.collect(now());
    for (const auto& happening : hands_.inbox().take()) give(happening);
    give(run::Tick{});
    folder_.record(runner_);
  }
  [[nodiscard]] Duration now() const { return boot_now() - epoch_; }

 private:
  run::Runner& runner_;
  Hands& hands_;
  RunFolder& folder_;
  Duration epoch_;
};

}  // namespace

run::RunResult run_loop(const spec::Experiment& experiment, run::Runner& runner, Hands& hands, RunFolder& folder, Screen& screen,
                        StopSignals& signals, Duration epoch) {
  Loop loop(runner, hands, folder, epoch);
  constexpr int beat = 50;  // milliseconds
  while (true) {
    const auto before = runner.state();
    loop.round(signals);
    screen.draw(experiment, runner, loop.now());
    if (runner.state() == run::State::done) break;
    std::array<pollfd, 2> waits{{{signals.readable(), POLLIN, 0}, {hands.inbox().readable(), POLLIN, 0}}};
    const bool goes_on = runner.state() != before;  // into a state that may be over already
    ::poll(waits.data(), waits.size(), goes_on ? 0 : beat);
  }
  screen.finish(experiment, runner, loop.now());
  return runner.result();
}

}  // namespace arashi::commands
