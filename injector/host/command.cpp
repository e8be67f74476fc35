// Boost.Process 1.74 forks and executes; waiting is ours, by pidfd, since its wait_for() takes SIGCHLD from the whole process.
#include "injector/host/command.hpp"

#include "injector/host/cgroup.hpp"
#include "injector/host/files.hpp"
#include "injector/host/netns.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <boost/process/args.hpp>
#include <boost/process/child.hpp>
#include <boost/process/error.hpp>
#include <boost/process/exe.hpp>
#include <boost/process/extend.hpp>
#include <boost/process/search_path.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>

namespace arashi {

namespace bp = boost::process;

namespace {

// Which preparation failed in the child, told through a pipe that exec closes.
enum class Stage : int { input, output, errors, directory, netns, cgroup, parent, program };
constexpr std::array stage_names{
    "connect standard input",      "connect standard output", "connect standard error",          "enter the working directory",
    "enter the network namespace", "enter the cgroup",        "ask for the parent-death signal", "run the program"};
struct Failure {
  Stage stage;
  int number;
};

// Everything the child needs between fork and exec, where only system calls are allowed: opened before.
struct Doors {
  Fd input, output, errors, directory, netns, status;
  std::vector<Fd> cgroups;
  pid_t parent = 0;
  bool dies_with_starter = false;
  int death_signal = SIGKILL;
  const std::vector<int>* inherited = nullptr;
};

[[noreturn]] void give_up(int status, Stage stage) {
  const Failure failure{stage, errno};
  [[maybe_unused]] const auto ignored = ::write(status, &failure, sizeof failure);
  ::_exit(127);
}

// What follows runs in the child: no allocation, no lock.

void die_with_starter(const Doors& doors) {
  if (!doors.dies_with_starter) return;
  if (::prctl(PR_SET_PDEATHSIG, doors.death_signal) != 0) give_up(doors.status.get(), Stage::parent);
  if (::getppid() != doors.parent) ::_exit(127);  // it died before we asked
}

void move_in(const Doors& doors) {
  const int status = doors.status.get();
  for (const auto& cgroup : doors.cgroups)
    if (::write(cgroup.get(), "0", 1) != 1) give_up(status, Stage::cgroup);
  if (doors.netns && ::setns(doors.netns.get(), CLONE_NEWNET) != 0) give_up(status, Stage::netns);
  if (doors.directory && ::fchdir(doors.directory.get()) != 0) give_up(status, Stage::directory);
}

void take_streams(const Doors& doors) {
  const int status = doors.status.get();
  if (doors.input && ::dup2(doors.input.get(), STDIN_FILENO) < 0) give_up(status, Stage::input);
  if (doors.output && ::dup2(doors.output.get(), STDOUT_FILENO) < 0) give_up(status, Stage::output);
  if (doors.errors && ::dup2(doors.errors.get(), STDERR_FILENO) < 0) give_up(status, Stage::errors);
}

void enter(const Doors& doors) {
  ::setpgid(0, 0);
  die_with_starter(doors);
  move_in(doors);
  take_streams(doors);
  ::syscall(SYS_close_range, 3U, ~0U, 4U /* CLOSE_RANGE_CLOEXEC */);
  for (const int fd : *doors.inherited) ::fcntl(fd, F_SETFD, 0);
  // What is ignored stays so through exec: we ignore some, a shell has its background jobs ignore two, and nohup one.
  for (int number = 1; number < NSIG; ++number) ::signal(number, SIG_DFL);
  sigset_t none;
  ::sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
}

Result<std::string> program_path(const std::string& name) {
  if (name.find('/') != std::string::npos) return name;
  try {
    auto found = bp::search_path(name).string();
    if (!found.empty()) return found;
  } catch (const std::exception& error) {
    return fail(Blame::system, "look for '", name, "' in PATH: ", error.what());
  }
  return fail(Blame::missing, "run '", name, "': no such program in PATH");
}

struct Ends {  // ours of the child's pipes
  Fd input, output, errors;
};

Result<void> connect(const Launch& launch, Doors& doors, Ends& ends) {
  if (launch.piped_input) {
    auto pipe = TRY(make_pipe());
    doors.input = std::move(pipe.read);
    ends.input = std::move(pipe.write);
  } else {
    doors.input = TRY(open_file("/dev/null", O_RDONLY));
  }
  if (launch.piped_output) {
    auto pipe = TRY(make_pipe());
    doors.output = std::move(pipe.write);
    ends.output = std::move(pipe.read);
  }
  if (launch.errors_into_output) {
    doors.errors.reset(::fcntl(doors.output ? doors.output.get() : STDOUT_FILENO, F_DUPFD_CLOEXEC, 3));
    if (!doors.errors) return sys_fail("duplicate standard output");
  } else if (launch.piped_errors) {
    auto pipe = TRY(make_pipe());
    doors.errors = std::move(pipe.write);
    ends.errors = std::move(pipe.read);
  }
  return {};
}

Result<Doors> open_doors(const Launch& launch, Ends& ends) {
  Doors doors;
  doors.parent = ::getpid();
  doors.dies_with_starter = launch.dies_with_starter;
  doors.death_signal = launch.death_signal;
  doors.inherited = &launch.inherited;
  TRY(connect(launch, doors, ends));
  if (!launch.directory.empty()) doors.directory = TRY(open_file(launch.directory, O_PATH | O_DIRECTORY));
  if (!launch.netns.empty()) doors.netns = TRY(open_netns_file(launch.netns));
  for (const auto& cgroup : launch.cgroups) doors.cgroups.push_back(TRY(open_file(cgroup / "cgroup.procs", O_WRONLY)));
  return doors;
}

// NAME=VALUE: what the launch says, and all of ours beside it. Not by Boost's environment, which reads behind the end of short ones.
std::vector<std::string> environment_of(const Launch& launch) {
  std::vector<std::string> made;
  for (const auto& [name, value] : launch.env) made.push_back(name + "=" + value);
  for (char** each = ::environ; *each != nullptr; ++each) {
    const std::string_view ours(*each);
    if (!launch.env.contains(std::string(ours.substr(0, ours.find('='))))) made.emplace_back(ours);
  }
  return made;
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> made;
  made.reserve(texts.size() + 1);
  for (auto& text : texts) made.push_back(text.data());
  made.push_back(nullptr);
  return made;
}

Result<pid_t> spawn(const std::string& program, const Launch& launch, const Doors& doors) {
  try {
    auto environment = environment_of(launch);
    auto variables = pointers_to(environment);
    const std::vector<std::string> rest(launch.argv.begin() + 1, launch.argv.end());
    std::error_code forked;
    const int status = doors.status.get();
    const bool again = program == "/proc/self/exe";
    bp::child child(
        bp::exe = program, bp::args = rest, bp::ignore_error,
        bp::extend::on_setup = [&variables](auto& executor) { executor.env = variables.data(); },
        bp::extend::on_fork_error = [&forked](auto&, const std::error_code& error) { forked = error; },
        bp::extend::on_exec_setup =
            [&doors, again](auto& executor) {
              // In the child: the list of arguments is its own copy. Else `ps` would show this program under the name of a link.
              if (again) const_cast<char**>(executor.cmd_line)[0] = program_invocation_name;
              enter(doors);
            },
        bp::extend::on_exec_error = [status](auto&, const std::error_code&) { give_up(status, Stage::program); });
    if (forked) return fail(Blame::system, "start '", program, "': ", forked.message());
    const pid_t pid = child.id();
    child.detach();
    return pid;
  } catch (const std::exception& error) {
    return fail(Blame::system, "start '", program, "': ", error.what());
  }
}

std::optional<int> reap(int pidfd) {
  siginfo_t info{};
  const auto which = static_cast<idtype_t>(3);  // P_PIDFD, which glibc 2.36 declares only for _GNU_SOURCE in C
  while (::waitid(which, static_cast<id_t>(pidfd), &info, WEXITED | WNOHANG) != 0)
    if (errno != EINTR) return 127;  // someone else reaped it: gone, its code unknown
  if (info.si_pid == 0) return std::nullopt;
  return info.si_code == CLD_EXITED ? info.si_status : 128 + info.si_status;
}

int poll_timeout(std::optional<Duration> deadline) {
  if (!deadline) return -1;
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(*deadline - boot_now()).count();
  return static_cast<int>(std::clamp<long>(left, 0, 1'000'000));
}

}  // namespace

Result<Child> Child::start(const Launch& launch) {
  if (launch.argv.empty()) return fail(Blame::input, "run a command: it is empty");
  const auto program = TRY(program_path(launch.argv.front()));
  Ends ends;
  auto doors = TRY(open_doors(launch, ends));
  auto status = TRY(make_pipe());
  doors.status = std::move(status.write);
  const pid_t pid = TRY(spawn(program, launch, doors));
  Child child;
  child.pid_ = pid;
  child.pidfd_.reset(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  if (!child.pidfd_) return sys_fail("open a pidfd of '", program, "'");
  child.input_ = std::move(ends.input);
  child.output_ = std::move(ends.output);
  child.errors_ = std::move(ends.errors);
  doors.status.reset();
  Failure failure{};
  ssize_t count = 0;
  while ((count = ::read(status.read.get(), &failure, sizeof failure)) < 0 && errno == EINTR) {
  }
  if (count == 0) return child;
  child.wait(std::nullopt);
  const auto blame = failure.number == ENOENT || failure.number == EACCES || failure.number == ENOEXEC ? Blame::input : Blame::system;
  return fail(blame, "run '", program, "': ", stage_names.at(static_cast<std::size_t>(failure.stage)), ": ", std::strerror(failure.number));
}

Child& Child::operator=(Child&& other) noexcept {
  if (this == &other) return *this;
  end();
  pid_ = other.pid_;
  pidfd_ = std::move(other.pidfd_);
  input_ = std::move(other.input_);
  output_ = std::move(other.output_);
  errors_ = std::move(other.errors_);
  exit_code_ = other.exit_code_;
  return *this;
}

std::optional<int> Child::wait(std::optional<Duration> deadline) {
  while (!exit_code_ && pidfd_) {
    pollfd ready{pidfd_.get(), POLLIN, 0};
    const int count = ::poll(&ready, 1, poll_timeout(deadline));
    if (count < 0 && errno != EINTR) break;
    if (count > 0) exit_code_ = reap(pidfd_.get());
    if (count == 0 && deadline && boot_now() >= *deadline) break;
  }
  return exit_code_;
}

void Child::signal(int number) const {
  if (pidfd_ && !exit_code_) ::syscall(SYS_pidfd_send_signal, pidfd_.get(), number, nullptr, 0);
}

void Child::end() {
  if (!pidfd_ || exit_code_) return;
  ::kill(-pid_, SIGKILL);  // not reaped yet, so the group's number is still its own
  signal(SIGKILL);
  wait(std::nullopt);
}

namespace {

// Appends what can be read now, in portions so that an endless writer does not hold us; false at the end of the file.
bool drain(int fd, std::size_t limit, Outcome& outcome) {
  constexpr int portions = 64;
  std::array<char, 16384> buffer{};
  for (int portion = 0; portion < portions; ++portion) {
    const auto count = ::read(fd, buffer.data(), buffer.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return errno == EAGAIN;
    if (count == 0) return false;
    const auto room = limit - outcome.output.size();
    const auto kept = std::min(room, static_cast<std::size_t>(count));
    outcome.output.append(buffer.data(), kept);
    outcome.cut += static_cast<std::uint64_t>(count) - kept;
    if (static_cast<std::size_t>(count) < buffer.size()) return true;
  }
  return true;
}

// Until the child has exited or the deadline; a grandchild that keeps the pipe open does not hold us.
bool follow(Child& child, Duration deadline, std::size_t limit, Outcome& outcome) {
  std::array<pollfd, 2> ready{pollfd{child.pidfd(), POLLIN, 0}, pollfd{child.output(), POLLIN, 0}};
  while (boot_now() < deadline) {
    if (::poll(ready.data(), ready.size(), poll_timeout(deadline)) < 0 && errno != EINTR) return false;
    if (ready[1].revents != 0 && !drain(child.output(), limit, outcome)) ready[1].fd = -1;
    if (ready[0].revents != 0) {
      if (ready[1].fd >= 0) drain(child.output(), limit, outcome);
      return true;
    }
  }
  return false;
}

}  // namespace

Result<Outcome> run_command(Launch launch, Duration timeout, std::size_t output_limit) {
  launch.piped_output = launch.errors_into_output = true;
  const auto started = boot_now();
  auto child = TRY(Child::start(launch));
  ::fcntl(child.output(), F_SETFL, ::fcntl(child.output(), F_GETFL) | O_NONBLOCK);
  Outcome outcome;
  outcome.timed_out = !follow(child, started + timeout, output_limit, outcome);
  if (outcome.timed_out) {
    for (const auto& cgroup : launch.cgroups) TRY(kill_cgroup(cgroup));
    child.end();
    drain(child.output(), output_limit, outcome);
  }
  outcome.exit_code = child.wait(std::nullopt).value_or(127);
  outcome.took = boot_now() - started;
  return outcome;
}

}  // namespace arashi
