#include "agent/supervisor.hpp"

#include "agent/control.hpp"
#include "agent/say.hpp"
#include "injector/host/command.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/capability.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <optional>

namespace arashi {

namespace {

constexpr const char* self = "supervisor";
constexpr Duration patience_to_end = std::chrono::seconds(15);       // of an injector process that was asked to end
constexpr Duration patience_to_recover = std::chrono::seconds(120);  // a user's undo command may take its time
constexpr Duration stable = std::chrono::seconds(10);                // one that lived so long is started again at once
constexpr Duration first_pause = std::chrono::milliseconds(100);
constexpr Duration longest_pause = std::chrono::seconds(5);

class Supervisor {
 public:
  explicit Supervisor(Options options) : options_(std::move(options)) {}

  int run() {
    if (const auto missing = missing_capabilities(); !missing.empty()) {
      say(self, "needs root: this process lacks ", missing);
      return 3;
    }
    watch_signals();
    copy_.reset(memfd_create("arashi-journal", MFD_CLOEXEC));
    if (!copy_) {
      say(self, "cannot keep a copy of the journal: ", std::strerror(errno));
      return 1;
    }
    std::optional<int> code;
    while (!code) code = one_life();
    return *code;
  }

 private:
  // From an injector process's start to what it left behind being picked up; an exit code if there is to be no other.
  std::optional<int> one_life() {
    const auto begin = boot_now();
    if (const auto started = start_injector(); started) {
      watch();
    } else {
      say(self, started.error().message);
      if (!was_ready_) return 1;
    }
    if (stopping_) return stop();
    if (failure_ && !was_ready_) return fail_to_start();
    pick_up_the_pieces();
    if (!stopping_) pause(boot_now() - begin >= stable);
    return stopping_ ? std::optional(exit_code_) : std::nullopt;
  }

  // SIGINT of a terminal is meant for the runner that embeds us: it ends us in its own time, by closing our input.
  void watch_signals() {
    (void)std::signal(SIGPIPE, SIG_IGN);
    if (options_.embedded) (void)std::signal(SIGINT, SIG_IGN);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    if (!options_.embedded) sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, nullptr);
    signals_.reset(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
  }

  Result<void> start_injector() {
    failure_.reset();
    live_ = false;
    auto pair = TRY(control_pair());
    auto options = options_;
    options.control_fd = pair.second.get();
    options.copy_fd = copy_.get();
    Launch launch{.dies_with_starter = true,
                  .death_signal = SIGTERM,
                  .inherited = {pair.second.get(), copy_.get()},
                  .piped_output = false,
                  .piped_errors = false};
    Fd lifeline;
    if (options_.embedded) {
      lifeline.reset(dup(STDIN_FILENO));
      options.lifeline_fd = lifeline.get();
      launch.inherited.push_back(lifeline.get());
    }
    launch.argv = arguments_of("injector", options);
    injector_.emplace(TRY(Child::start(launch)));
    control_ = std::move(pair.first);
    return {};
  }

  // Returns when the injector process is gone or we are to stop.
  void watch() {
    while (!stopping_) {
      std::array<pollfd, 4> sources{pollfd{signals_.get(), POLLIN, 0}, pollfd{options_.embedded ? STDIN_FILENO : -1, POLLIN, 0},
                                    pollfd{control_.get(), POLLIN, 0}, pollfd{injector_->pidfd(), POLLIN, 0}};
      const int timeout =
          live_
              ? static_cast<int>(std::chrono::milliseconds(std::chrono::duration_cast<std::chrono::milliseconds>(longest_silence)).count())
              : -1;
      const int ready = poll(sources.data(), sources.size(), timeout);
      if (ready == 0) return end_silent_one();
      if (sources[0].revents != 0) stopping_ = true;
      if (sources[1].revents != 0) read_input();
      if (sources[2].revents != 0) read_notices();
      if (sources[3].revents != 0) return;
    }
  }

  void end_silent_one() {
    say(self, "the injector process has been silent for ", to_text(longest_silence), " while faults are active: ending it");
    injector_->signal(SIGKILL);
  }

  void read_input() {
    std::array<char, 256> ignored;
    const auto got = read(STDIN_FILENO, ignored.data(), ignored.size());
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) stopping_ = true;
  }

  void read_notices() {
    bool ended = false;
    while (const auto notice = receive_notice(control_.get(), ended)) {
      if (notice->kind == Notice::Kind::ready) announce(notice->text);
      if (notice->kind == Notice::Kind::failed) failure_ = Error{notice->text, notice->blame};
      if (notice->kind == Notice::Kind::alive) live_ = true;
      if (notice->kind == Notice::Kind::idle) live_ = false;
    }
    if (ended) control_.reset();  // poll() skips it from now on; the pidfd tells the rest
  }

  void announce(const std::string& where) {
    if (!was_ready_) {
      const auto line = "ready " + where + "\n";
      (void)!write(STDOUT_FILENO, line.data(), line.size());
    }
    was_ready_ = true;
  }

  // The injector process reverts everything when it sees the end of the control connection.
  int stop() {
    control_.reset();
    const auto code = injector_ ? injector_->wait(boot_now() + patience_to_end) : std::optional(0);
    if (!code) say(self, "the injector process has not ended within ", to_text(patience_to_end), ": ending it");
    if (!code) injector_->end();
    if (code != 0) recover();
    unlink(options_.socket.c_str());
    return exit_code_;
  }

  int fail_to_start() {
    (void)injector_->wait(std::nullopt);
    say(self, failure_->message);
    return exit_code_of(failure_->blame);
  }

  void pick_up_the_pieces() {
    if (!injector_) return;
    const auto code = injector_->wait(std::nullopt).value_or(-1);
    say(self, "the injector process ended (", code > 128 ? "signal " : "exit ", code > 128 ? code - 128 : code, ")",
        failure_ ? ": " + failure_->message : "", "; reverting what it left");
    recover();
  }

  void recover() {
    exit_code_ = 0;
    const auto arguments =
        arguments_of("recover", {.socket = {}, .run_dir = options_.run_dir, .state_dir = options_.state_dir, .copy_fd = copy_.get()});
    auto child = Child::start(
        {.argv = arguments, .dies_with_starter = true, .inherited = {copy_.get()}, .piped_output = false, .piped_errors = false});
    if (!child) {
      say(self, "recovery could not be started: ", child.error().message);
      exit_code_ = 6;
      return;
    }
    const auto code = child->wait(boot_now() + patience_to_recover);
    if (!code) say(self, "recovery has not ended within ", to_text(patience_to_recover), ": ending it");
    if (code != 0) exit_code_ = 6;
    if (code && *code != 0) say(self, "recovery ended with exit ", *code, ": something may be left behind");
  }

  // Never a busy loop: one that dies at once again and again is started ever more seldom.
  void pause(bool was_stable) {
    next_pause_ = was_stable ? Duration::zero() : std::clamp(next_pause_ * 2, first_pause, longest_pause);
    const auto end = boot_now() + next_pause_;
    while (!stopping_ && boot_now() < end) {
      std::array<pollfd, 2> sources{pollfd{signals_.get(), POLLIN, 0}, pollfd{options_.embedded ? STDIN_FILENO : -1, POLLIN, 0}};
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - boot_now()).count();
      (void)poll(sources.data(), sources.size(), static_cast<int>(std::max<std::int64_t>(left, 0)));
      if (sources[0].revents != 0) stopping_ = true;
      if (sources[1].revents != 0) read_input();
    }
  }

  const Options options_;
  Fd signals_, control_;
  Fd copy_;  // of what the journals hold: nobody but our own processes reaches it, so that a damaged journal costs nothing while we live
  std::optional<Child> injector_;
  std::optional<Error> failure_;
  bool live_ = false;       // something lives: the injector process is to be heard from
  bool was_ready_ = false;  // once: later failures are tried again
  bool stopping_ = false;
  int exit_code_ = 0;
  Duration next_pause_{};
};

}  // namespace

std::string missing_capabilities() {
  constexpr std::array needed{CAP_SYS_ADMIN, CAP_NET_ADMIN, CAP_KILL, CAP_SYS_PTRACE, CAP_DAC_OVERRIDE, CAP_SETUID, CAP_SETGID};
  constexpr std::array names{"CAP_SYS_ADMIN",    "CAP_NET_ADMIN", "CAP_KILL",  "CAP_SYS_PTRACE",
                             "CAP_DAC_OVERRIDE", "CAP_SETUID",    "CAP_SETGID"};
  std::string missing;
  const std::unique_ptr<_cap_struct, decltype(&cap_free)> held(cap_get_proc(), cap_free);
  for (std::size_t index = 0; index < needed.size(); ++index) {
    cap_flag_value_t value = CAP_CLEAR;
    if (held) (void)cap_get_flag(held.get(), needed.at(index), CAP_EFFECTIVE, &value);
    if (value == CAP_CLEAR) missing += (missing.empty() ? "" : ", ") + std::string(names.at(index));
  }
  return missing;
}

int exit_code_of(Blame blame) {
  switch (blame) {
    case Blame::input:
      return 2;
    case Blame::refused:
    case Blame::missing:
    case Blame::unsupported:
      return 3;
    case Blame::system:
      return 1;
  }
  return 1;
}

int run_supervisor(const Options& options) { return Supervisor(options).run(); }

}  // namespace arashi
