#include "agent/workers/channel.hpp"

#include "injector/core/json.hpp"
#include "injector/host/files.hpp"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <string>

namespace arashi::workers {

namespace {

constexpr std::size_t longest_config = std::size_t{1} << 20U;
constexpr auto least_gap = std::chrono::milliseconds(200);

}  // namespace

Result<Json> Channel::read_config() {
  std::string line;
  char letter = 0;
  while (line.size() < longest_config) {
    const auto count = ::read(STDIN_FILENO, &letter, 1);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) return sys_fail("read the worker's configuration");
    if (count == 0) return fail(Blame::input, "standard input ended before the configuration");
    if (letter == '\n') return parse_json(line, longest_config);
    line += letter;
  }
  return fail(Blame::input, "the worker's configuration is too long");
}

int Channel::input() { return STDIN_FILENO; }

bool Channel::wait_until(std::optional<Duration> deadline) {
  while (true) {
    int timeout = -1;
    if (deadline) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(*deadline - boot_now()).count();
      timeout = static_cast<int>(std::clamp<long>(left, 0, 1'000'000));
    }
    pollfd watched{STDIN_FILENO, POLLIN, 0};
    const int count = ::poll(&watched, 1, timeout);
    if (count > 0) return false;
    if (count < 0 && errno != EINTR) return false;
    if (deadline && boot_now() >= *deadline) return true;
  }
}

void Channel::problem(std::string_view message) { say("error", message); }

// Whoever does not read any more has gone; the end of standard input says so too.
void Channel::say(std::string_view kind, const Json& value) {
  [[maybe_unused]] const auto ignored = write_all(STDOUT_FILENO, to_text(Json{{kind, value}}) + "\n");
}

bool Channel::may_speak(Duration now) {
  if (last_ != Duration::zero() && now - last_ < least_gap) return false;
  last_ = now;
  return true;
}

}  // namespace arashi::workers
