// The one file of experiments/ with Boost.Process. Its wait_for is not used (it steals SIGCHLD): a pidfd is polled instead.
#include "experiments/fleet/child.hpp"

#include "experiments/fleet/fleet.hpp"
#include "experiments/stop_scope.hpp"
#include "injector/core/fd.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include <boost/process/args.hpp>
#include <boost/process/child.hpp>
#include <boost/process/error.hpp>
#include <boost/process/exe.hpp>
#include <boost/process/extend.hpp>
#include <boost/process/posix.hpp>
#include <boost/process/search_path.hpp>
#include <boost/process/start_dir.hpp>

#include <algorithm>
#include <array>
#include <csignal>
#include <fstream>
#include <mutex>
#include <optional>
#include <span>
#include <sstream>

namespace bp = boost::process;

namespace arashi::fleet {

namespace {

struct Pipe {
  Fd read, write;
};

Result<Pipe> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return sys_fail("make a pipe");
  return Pipe{Fd(ends[0]), Fd(ends[1])};
}

// In the child, before exec: a group of its own, so that ^C at the terminal reaches us only and a timeout ends all of it; and the
// signals as a program expects them, though we block some.
void as_a_new_group() {
  ::setpgid(0, 0);
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  for (const int number : {SIGPIPE, SIGINT, SIGTERM, SIGHUP, SIGQUIT}) ::signal(number, SIG_DFL);
}

struct Started {
  bp::child process;
  Fd pid;  // pidfd
};

// stdin, stdout and stderr are the three given; everything else of ours is close-on-exec.
Result<Started> start(const std::vector<std::string>& command, const std::filesystem::path& directory, std::array<int, 3> io) {
  static std::mutex one_at_a_time;  // Boost's error pipe is without O_CLOEXEC for a moment
  const std::lock_guard lock(one_at_a_time);
  if (command.empty()) return fail(Blame::input, "no command given");
  const bool has_slash = command[0].find('/') != std::string::npos;
  const std::string program = has_slash ? (directory / command[0]).string() : bp::search_path(command[0]).string();
  if (program.empty()) return fail(Blame::missing, "start '", command[0], "': no such program in PATH");
  const std::vector<std::string> arguments(command.begin() + 1, command.end());
  std::error_code error;
  bp::child process(
      bp::exe = program, bp::args = arguments, bp::start_dir = directory.empty() ? std::string(".") : directory.string(),
      bp::posix::fd.bind(0, io[0]), bp::posix::fd.bind(1, io[1]), bp::posix::fd.bind(2, io[2]),
      bp::extend::on_exec_setup = [](auto&) { as_a_new_group(); }, error);
  if (error) return fail(Blame::system, "start '", program, "': ", error.message());
  Fd pid(static_cast<int>(::syscall(SYS_pidfd_open, process.id(), 0)));
  if (!pid) {
    auto failed = sys_fail("open a pidfd of '", program, "'");
    process.terminate();
    return failed;
  }
  return Started{std::move(process), std::move(pid)};
}

void kill_group(const bp::child& process) { ::kill(-process.id(), SIGKILL); }

int exit_status(bp::child& process) {
  std::error_code ignored;
  process.wait(ignored);  // the pidfd said that it has ended: returns at once
  const int status = process.native_exit_code();
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

// Reads what is there; false at the end of the stream.
bool read_some(int fd, std::string& into, std::size_t limit) {
  std::array<char, 4096> buffer{};
  const ssize_t got = ::read(fd, buffer.data(), buffer.size());
  if (got < 0) return errno == EAGAIN || errno == EINTR;
  if (into.size() < limit) into.append(buffer.data(), std::min<std::size_t>(static_cast<std::size_t>(got), limit - into.size()));
  return got > 0;
}

// Not longer than a tenth of a second where it may have to stop early.
int milliseconds_until(Duration end) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - boot_now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, stop_here().stop_possible() ? 100 : 60'000));
}

// What can be read now; a stream at its end is not asked again.
void read_ready(std::span<pollfd, 2> streams, const std::array<std::string*, 2>& texts, std::size_t limit) {
  for (std::size_t i = 0; i < streams.size(); ++i)
    if (streams[i].revents != 0 && !read_some(streams[i].fd, *texts[i], limit)) streams[i].fd = -1;
}

// Both streams until the program ends or its time is up; what a grandchild still holds open is not waited for.
bool collect(Started& child, std::array<Fd, 2>& streams, const std::array<std::string*, 2>& texts, const Program& program) {
  const Duration end = boot_now() + program.timeout;
  for (const auto& stream : streams) ::fcntl(stream.get(), F_SETFL, O_NONBLOCK);
  std::array<pollfd, 3> waits{{{child.pid.get(), POLLIN, 0}, {streams[0].get(), POLLIN, 0}, {streams[1].get(), POLLIN, 0}}};
  const std::span<pollfd, 2> readable(waits.data() + 1, 2);
  while (boot_now() < end && !stop_here().stop_requested()) {
    if (::poll(waits.data(), waits.size(), milliseconds_until(end)) < 0 && errno != EINTR) break;
    read_ready(readable, texts, program.largest_output);
    if ((waits[0].revents & POLLIN) == 0) continue;
    for (int rounds = 0; rounds < 64 && ::poll(readable.data(), readable.size(), 0) > 0; ++rounds)
      read_ready(readable, texts, program.largest_output);
    return true;
  }
  return false;
}

// A file in memory: nobody has to feed it while the program runs.
Result<Fd> open_input(const std::string& text) {
  Fd file(::memfd_create("stdin", MFD_CLOEXEC));
  if (!file) return sys_fail("make a program's input");
  for (std::size_t written = 0; written < text.size();) {
    const auto more = ::write(file.get(), text.data() + written, text.size() - written);
    if (more <= 0) return sys_fail("write a program's input");
    written += static_cast<std::size_t>(more);
  }
  if (::lseek(file.get(), 0, SEEK_SET) != 0) return sys_fail("rewind a program's input");
  return file;
}

}  // namespace

Result<Ended> run_program(const Program& program) {
  Pipe output = TRY(make_pipe());
  Pipe errors = TRY(make_pipe());
  const Fd input = TRY(open_input(program.input));
  Started child = TRY(start(program.command, program.directory, {input.get(), output.write.get(), errors.write.get()}));
  output.write.reset();
  errors.write.reset();
  Ended ended;
  std::array<Fd, 2> streams{std::move(output.read), std::move(errors.read)};
  ended.timed_out = !collect(child, streams, {&ended.output, &ended.errors}, program);
  kill_group(child.process);  // also what it left in the background
  ended.exit = exit_status(child.process);
  return ended;
}

// ---- the embedded agent

namespace {

constexpr Duration patience_to_start = std::chrono::seconds(10);
constexpr Duration patience_to_end = std::chrono::seconds(15);  // it reverts first

std::string tail_of(const std::filesystem::path& file, std::size_t bytes) {
  std::ifstream in(file, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  std::string all = text.str();
  if (all.size() > bytes) all.erase(0, all.size() - bytes);
  while (!all.empty() && (all.back() == '\n' || all.back() == ' ')) all.pop_back();
  return all;
}

}  // namespace

struct Embedded::Child {
  std::optional<Started> started;
  Fd lifeline;  // its stdin: the agent ends when this closes, whatever became of us
  Fd output;    // kept open, so that it never writes into a closed pipe
  std::filesystem::path socket, log, binary;

  // Waits for "ready SOCKET".
  Result<void> wait_until_ready() {
    const Duration end = boot_now() + patience_to_start;
    std::string said;
    ::fcntl(output.get(), F_SETFL, O_NONBLOCK);
    while (boot_now() < end && !stop_here().stop_requested()) {
      std::array<pollfd, 2> waits{{{output.get(), POLLIN, 0}, {started->pid.get(), POLLIN, 0}}};
      if (::poll(waits.data(), waits.size(), milliseconds_until(end)) < 0 && errno != EINTR) return sys_fail("wait for the agent");
      if (waits[0].revents != 0) read_some(output.get(), said, 4096);
      if (said.starts_with("ready ") && said.find('\n') != std::string::npos) return {};
      if ((waits[1].revents & POLLIN) != 0) return ended_early();
    }
    kill_group(started->process);
    if (stop_here().stop_requested()) return fail(Blame::system, "stopped before the local agent was ready");
    return fail(Blame::system, "the local agent was not ready within ", to_text(patience_to_start), why());
  }

  Result<void> ended_early() {
    const int status = exit_status(started->process);
    started.reset();
    return fail(status == 3 ? Blame::refused : Blame::system, "the local agent ended at once (exit ", status, ")", why(),
                "; if another agent runs on this machine, use it with --agents unix:SOCKET");
  }

  [[nodiscard]] std::string why() const {
    const std::string text = tail_of(log, 2000);
    return text.empty() ? "" : ": " + text;
  }

  ~Child() {
    lifeline.reset();
    if (!started) return;
    pollfd wait{started->pid.get(), POLLIN, 0};
    const Duration end = boot_now() + patience_to_end;
    while (boot_now() < end && ::poll(&wait, 1, milliseconds_until(end)) < 1) {
    }
    if ((wait.revents & POLLIN) != 0) {
      exit_status(started->process);
    } else {
      started->process.detach();  // it lives on to finish what it reverts; killing it would leave that to the next start
    }
  }
};

namespace {

// What the agent says of its end: empty, and with room for more, as an agent that dies of a full disk cannot say so on the same one.
Result<Fd> open_log(const std::filesystem::path& file) {
  Fd log(::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!log) return sys_fail("open '", file.string(), "'");
  if (::pwrite(log.get(), "\n", 1, 0) != 1 || ::ftruncate(log.get(), 0) != 0) return sys_fail("write '", file.string(), "'");
  return log;
}

}  // namespace

Embedded::Embedded(std::unique_ptr<Child> child) : child_(std::move(child)) {}
Embedded::~Embedded() = default;
Embedded::Embedded(Embedded&&) noexcept = default;
Embedded& Embedded::operator=(Embedded&&) noexcept = default;

Result<Embedded> Embedded::start(const std::filesystem::path& binary, const std::filesystem::path& run_directory) {
  if (::geteuid() != 0)
    return fail(Blame::refused, "a local agent needs root, as its faults do: run this with sudo, or name running agents with --agents");
  std::error_code error;
  std::filesystem::create_directories(run_directory, error);
  if (error) return fail(Blame::system, "make the agent's run directory '", run_directory.string(), "': ", error.message());
  auto child = std::make_unique<Child>();
  child->binary = binary;
  child->socket = run_directory / "agent.sock";
  if (child->socket.string().size() > 107)
    return fail(Blame::input, "run directory '", run_directory.string(), "' is too long for a unix socket in it (107 bytes)");
  child->log = run_directory / "agent.log";
  Pipe lifeline = TRY(make_pipe());
  Pipe output = TRY(make_pipe());
  const Fd log = TRY(open_log(child->log));
  const std::vector<std::string> command = {binary.string(),        "--embedded", "--run-dir",
                                            run_directory.string(), "--socket",   child->socket.string()};
  child->started = TRY(fleet::start(command, {}, {lifeline.read.get(), output.write.get(), log.get()}));
  child->lifeline = std::move(lifeline.write);
  child->output = std::move(output.read);
  output.write.reset();
  TRY(child->wait_until_ready());
  return Embedded(std::move(child));
}

bool Embedded::ended() const {
  pollfd wait{child_->started->pid.get(), POLLIN, 0};
  return ::poll(&wait, 1, 0) == 1;
}

namespace {

Result<void> recover(const std::filesystem::path& binary, const std::filesystem::path& run_directory) {
  const StopScope to_its_end{{}};  // whatever else is ended early
  const auto ended = TRY(run_program({.command = {binary.string(), "recover", "--run-dir", run_directory.string()},
                                      .directory = {},
                                      .timeout = std::chrono::seconds(15)}));
  if (!ended.timed_out && ended.exit == 0) return {};
  std::string said = ended.errors + ended.output;
  while (!said.empty() && said.back() == '\n') said.pop_back();
  std::ranges::replace(said, '\n', ';');
  return fail(Blame::system, "`arashi-agent recover` ", ended.timed_out ? "did not end" : "could not take everything back",
              said.empty() ? "" : ": ", said);
}

}  // namespace

std::function<Result<void>()> Embedded::recovery() const {
  return [binary = child_->binary, directory = child_->socket.parent_path()] { return recover(binary, directory); };
}

Address Embedded::address() const { return {.name = "local", .unix_socket = child_->socket.string()}; }

Result<std::filesystem::path> find_agent_binary() {
  std::error_code error;
  const auto self = std::filesystem::read_symlink("/proc/self/exe", error);
  const auto beside = self.parent_path() / "arashi-agent";
  if (!error && ::access(beside.c_str(), X_OK) == 0) return beside;
  const auto found = bp::search_path("arashi-agent").string();
  if (found.empty())
    return fail(Blame::missing, "no arashi-agent beside this program nor in PATH; install it, or use running agents with --agents");
  return std::filesystem::path(found);
}

namespace {

template <class Reply>
Result<Reply> ask_binary(const std::filesystem::path& binary, std::vector<std::string> arguments, std::string input = {}) {
  const auto told = "'" + binary.string() + " " + arguments.front() + "'";
  arguments.insert(arguments.begin(), binary.string());
  const auto ended = TRY(
      run_program({.command = std::move(arguments), .directory = {}, .input = std::move(input), .largest_output = std::size_t{4} << 20U}));
  if (ended.timed_out || ended.exit != 0)
    return fail(Blame::system, told, ended.timed_out ? " did not end" : " failed", ": ", ended.errors);
  auto reply = protocol::parse<Reply>(ended.output);
  if (!reply) return fail(Blame::system, "what ", told, " says is not understood: ", reply.error().message);
  return reply;
}

}  // namespace

Result<std::vector<protocol::FaultText>> fault_catalogue(const std::filesystem::path& binary) {
  return ask_binary<std::vector<protocol::FaultText>>(binary, {"faults", "--json"});
}

Result<std::vector<std::string>> problems_of(const std::filesystem::path& binary, const std::vector<protocol::Ask>& asked) {
  auto problems = TRY(ask_binary<std::vector<std::string>>(binary, {"check-params"}, protocol::print(asked)));
  if (problems.size() != asked.size()) return fail(Blame::system, "'", binary.string(), " check-params' answers something else");
  return problems;
}

}  // namespace arashi::fleet
