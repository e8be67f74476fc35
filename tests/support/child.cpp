#include "tests/support/child.hpp"

#include <poll.h>
#include <unistd.h>

#include <doctest/doctest.h>

#include <fstream>

namespace arashi::testing {

namespace {

constexpr std::size_t output_limit = std::size_t{16} << 20U;

// One byte at a time keeps what follows the line for the next reader; 0 bytes at the end of the file, -1 after the deadline.
ssize_t read_some(int fd, char* into, std::size_t size, Duration deadline) {
  pollfd ready{fd, POLLIN, 0};
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - boot_now()).count();
  if (left <= 0 || ::poll(&ready, 1, static_cast<int>(left)) <= 0) return -1;
  return ::read(fd, into, size);
}

}  // namespace

Ran run(std::vector<std::string> argv, Duration limit) { return run_in({}, std::move(argv), limit); }

Ran run_in(const std::filesystem::path& netns, std::vector<std::string> argv, Duration limit) {
  auto outcome = run_command({.argv = std::move(argv), .netns = netns, .dies_with_starter = true}, limit, output_limit);
  if (!outcome) return {-1, outcome.error().message};
  return {outcome->exit_code, std::move(outcome->output)};
}

Child spawn(Launch launch) {
  launch.dies_with_starter = true;
  auto child = Child::start(launch);
  if (!child) FAIL("start " << launch.argv.front() << ": " << child.error().message);
  return std::move(child).value();
}

Child sleeper(const std::filesystem::path& netns, std::vector<std::filesystem::path> cgroups) {
  return spawn({.argv = {"sleep", "600"}, .cgroups = std::move(cgroups), .netns = netns});
}

std::string read_all(Child& child, Duration limit) {
  const auto deadline = boot_now() + limit;
  std::string all(4096, '\0');
  std::size_t size = 0;
  while (true) {
    if (all.size() == size) all.resize(2 * size);
    const auto count = read_some(child.output(), all.data() + size, all.size() - size, deadline);
    if (count <= 0) break;
    size += static_cast<std::size_t>(count);
  }
  all.resize(size);
  return all;
}

std::optional<std::string> read_line(Child& child, Duration limit) {
  const auto deadline = boot_now() + limit;
  std::string line;
  char letter = 0;
  while (read_some(child.output(), &letter, 1, deadline) == 1) {
    if (letter == '\n') return line;
    line += letter;
  }
  return line.empty() ? std::nullopt : std::optional(line);
}

void pause_briefly() { ::poll(nullptr, 0, 5); }

char process_state(std::int32_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const auto after_name = text.rfind(") ");
  return after_name == std::string::npos ? '\0' : text[after_name + 2];
}

}  // namespace arashi::testing
