#include "tests/support/forked_workers.hpp"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <csignal>

#include <array>

namespace arashi::test {

ForkedWorkers::~ForkedWorkers() {
  while (!children_.empty()) (void)ForkedWorkers::stop(std::string(children_.begin()->first), {});
}

bool ForkedWorkers::next_line(Child& child, int timeout_ms) {
  for (;;) {
    const auto end = child.pending.find('\n');
    if (end != std::string::npos) {
      if (auto line = parse_json(child.pending.substr(0, end))) child.newest = *line;
      child.pending.erase(0, end + 1);
      return true;
    }
    pollfd wait{.fd = child.output.get(), .events = POLLIN, .revents = 0};
    if (poll(&wait, 1, timeout_ms) <= 0) return false;
    std::array<char, 4096> buffer{};
    const auto got = ::read(child.output.get(), buffer.data(), buffer.size());
    if (got <= 0) return false;
    child.pending.append(buffer.data(), static_cast<std::size_t>(got));
  }
}

Result<Json> ForkedWorkers::start(std::string_view id, std::string_view /*engine*/, const Json& config, Duration patience) {
  std::array<int, 2> down{};
  std::array<int, 2> up{};
  if (pipe2(down.data(), O_CLOEXEC) != 0 || pipe2(up.data(), O_CLOEXEC) != 0) return sys_fail("pipe");
  const auto pid = fork();
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::close(down[1]);
    ::close(up[0]);
    const auto done = engine_(config, down[0], up[1]);
    if (!done) {
      const auto line = to_text(Json{{"error", done.error().message}}) + "\n";
      (void)!::write(up[1], line.data(), line.size());
    }
    _exit(done ? 0 : 1);
  }
  ::close(down[0]);
  ::close(up[1]);
  auto& child = children_[std::string(id)];
  child.pid = pid;
  child.input.reset(down[1]);
  child.output.reset(up[0]);
  const auto milliseconds = std::chrono::duration_cast<std::chrono::milliseconds>(patience).count();
  if (!next_line(child, static_cast<int>(milliseconds))) return fail(Blame::system, "the worker said nothing");
  if (child.newest.contains("error")) return fail(Blame::system, child.newest["error"].get<std::string>());
  const auto ready = child.newest["ready"];
  child.newest = Json{{"stats", ready}};
  return ready;
}

Result<Json> ForkedWorkers::stats(std::string_view id) {
  const auto child = children_.find(id);
  if (child == children_.end()) return Json();
  while (next_line(child->second, 0)) continue;
  return child->second.newest["stats"];
}

WorkerState ForkedWorkers::state(std::string_view id) {
  const auto found = children_.find(id);
  if (found == children_.end()) return {};
  auto& child = found->second;
  if (!child.reaped) child.reaped = waitpid(child.pid, &child.status, WNOHANG) == child.pid;
  const int code = WIFSIGNALED(child.status) ? 128 + WTERMSIG(child.status) : WEXITSTATUS(child.status);
  return {.alive = !child.reaped, .exit_code = child.reaped ? code : 0, .pid = child.pid};
}

Result<void> ForkedWorkers::stop(std::string_view id, Duration /*grace*/) {
  const auto found = children_.find(id);
  if (found == children_.end()) return {};
  if (ForkedWorkers::state(id).alive) {
    ::kill(found->second.pid, SIGKILL);
    waitpid(found->second.pid, nullptr, 0);
  }
  children_.erase(found);
  return {};
}

std::int32_t ForkedWorkers::pid(std::string_view id) const { return children_.find(id)->second.pid; }

}  // namespace arashi::test
