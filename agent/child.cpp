#include "agent/child.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <boost/process/args.hpp>
#include <boost/process/child.hpp>
#include <boost/process/exe.hpp>
#include <boost/process/extend.hpp>
#include <boost/process/io.hpp>

#include <algorithm>
#include <csignal>

namespace arashi {

namespace {

namespace bp = boost::process;

// Runs in the child between fork and exec: system calls only.
void prepare_child(const Start& start, pid_t parent) {
  for (const int fd : start.inherited) fcntl(fd, F_SETFD, 0);
  if (start.death_signal != 0) prctl(PR_SET_PDEATHSIG, start.death_signal);
  if (start.death_signal != 0 && getppid() != parent) _exit(1);  // it died before the line above
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

}  // namespace

Result<Child> start_self(const Start& start) {
  std::error_code error;
  const auto parent = getpid();
  const auto setup = bp::extend::on_exec_setup([&start, parent](auto&) { prepare_child(start, parent); });
  const std::string self = "/proc/self/exe";
  bp::child process = start.keep_input
                          ? bp::child(bp::exe = self, bp::args = start.arguments, bp::std_out > bp::null, setup, error)
                          : bp::child(bp::exe = self, bp::args = start.arguments, bp::std_in<bp::null, bp::std_out> bp::null, setup, error);
  if (error) return fail(Blame::system, "start 'arashi-agent ", start.arguments.front(), "': ", error.message());
  Child child{.pid = process.id()};
  process.detach();
  child.alive.reset(static_cast<int>(syscall(SYS_pidfd_open, child.pid, 0)));
  if (!child.alive) {
    const auto why = sys_fail("watch process ", child.pid);
    kill(child.pid, SIGKILL);  // still ours: not waited for
    waitpid(child.pid, nullptr, 0);
    return why;
  }
  return child;
}

int collect(const Child& child) {
  int status = 0;
  while (waitpid(child.pid, &status, 0) < 0 && errno == EINTR) {
  }
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

bool ends_within(const Child& child, Duration patience) {
  const auto end = boot_now() + patience;
  for (;;) {
    pollfd wait{.fd = child.alive.get(), .events = POLLIN, .revents = 0};
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - boot_now()).count();
    const int ready = poll(&wait, 1, static_cast<int>(std::clamp<std::int64_t>(left, 0, 3600'000)));
    if (ready > 0) return true;
    if (ready == 0 && left <= 0) return false;
  }
}

void send_signal(const Child& child, int signal) { syscall(SYS_pidfd_send_signal, child.alive.get(), signal, nullptr, 0); }

}  // namespace arashi
