#include "tests/contract/traced.hpp"

#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include <cerrno>
#include <csignal>
#include <set>

namespace arashi::testing {

namespace {

constexpr int syscall_stop = SIGTRAP | 0x80;  // PTRACE_O_TRACESYSGOOD

struct Tracer {
  pid_t child = 0;
  int at = 0;
  bool marked = false;
  std::set<pid_t> inside;  // threads between the entry and the exit of a call
  Traced result;

  void go_on(pid_t thread, int signal) const { ::ptrace(marked ? PTRACE_SYSCALL : PTRACE_CONT, thread, nullptr, signal); }

  void entered(pid_t thread) {
    if (inside.erase(thread) > 0) return;  // this is its exit
    inside.insert(thread);
    if (++result.calls != at) return;
    result.killed = true;
    ::kill(child, SIGKILL);
  }

  void stopped(pid_t thread, int status) {
    const int signal = WSTOPSIG(status);
    if (signal == syscall_stop) {
      if (marked) entered(thread);
      return go_on(thread, 0);
    }
    if (status >> 16 != 0) return go_on(thread, 0);  // a new thread was made, or is about to run
    if (signal == SIGUSR2 && thread == child && !marked) {
      marked = true;
      return go_on(thread, 0);
    }
    go_on(thread, signal == SIGSTOP || signal == SIGTRAP ? 0 : signal);
  }

  // Until the child is gone; its threads report here too.
  void follow() {
    while (true) {
      int status = 0;
      const pid_t thread = ::waitpid(-1, &status, __WALL);
      if (thread < 0 && errno == EINTR) continue;
      if (thread < 0) return;
      if (WIFSTOPPED(status)) {
        stopped(thread, status);
      } else if (thread == child) {
        if (WIFEXITED(status)) result.exit_code = WEXITSTATUS(status);
        return;
      }
    }
  }
};

}  // namespace

void mark() { ::raise(SIGUSR2); }

Traced run_traced(int at, const std::function<int()>& work) {
  const pid_t child = ::fork();
  if (child < 0) FAIL("fork");
  if (child == 0) {
    ::raise(SIGSTOP);  // until the tracer has us
    ::_exit(work());
  }
  int status = 0;
  ::waitpid(child, &status, WUNTRACED);
  constexpr long options = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL;
  if (::ptrace(PTRACE_SEIZE, child, nullptr, options) != 0) {
    ::kill(child, SIGKILL);
    ::waitpid(child, &status, 0);
    FAIL("SKIP: needs ptrace");
  }
  ::kill(child, SIGCONT);
  Tracer tracer{.child = child, .at = at};
  tracer.follow();
  return tracer.result;
}

}  // namespace arashi::testing
