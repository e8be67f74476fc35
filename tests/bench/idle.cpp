// What an idle agent costs: memory of all its processes together, and how often they wake up. DESIGN section 11: at most 12 MB PSS, no
// timer wake-ups. Needs root.
#include "agent/http/ask.hpp"
#include "injector/host/command.hpp"
#include "injector/host/files.hpp"

#include <test_paths.hpp>

#include <poll.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <sstream>
#include <thread>

namespace arashi {
namespace {

using namespace std::chrono_literals;

constexpr Duration observed = 10s;

long number_after(const std::string& text, const std::string& name) {
  const auto at = text.find("\n" + name);
  return at == std::string::npos ? 0 : std::atol(text.c_str() + at + 1 + name.size());
}

std::vector<std::int32_t> family(std::int32_t pid) {
  std::vector<std::int32_t> all{pid};
  for (std::size_t next = 0; next < all.size(); ++next) {
    const auto task = "/proc/" + std::to_string(all[next]) + "/task/" + std::to_string(all[next]) + "/children";
    std::istringstream children(read_text(task).value_or(""));
    for (std::int32_t child = 0; children >> child;) all.push_back(child);
  }
  return all;
}

std::string subcommand_of(std::int32_t pid) {
  const auto command = read_text("/proc/" + std::to_string(pid) + "/cmdline").value_or("");
  const auto begin = command.find('\0') + 1;
  const std::string second = command.substr(begin, command.find('\0', begin) - begin);
  return second.starts_with("-") ? "supervisor" : second;
}

long voluntary_switches(std::int32_t pid) {
  return number_after(read_text("/proc/" + std::to_string(pid) + "/status").value_or(""), "voluntary_ctxt_switches:");
}

int bench() {
  std::string name = "/tmp/arashi-idle-XXXXXX";
  if (mkdtemp(name.data()) == nullptr) return 1;
  const std::filesystem::path directory = name;
  auto agent =
      Child::start({.argv = {BIN_DIR "/arashi-agent", "--embedded", "--run-dir", directory / "run", "--socket", directory / "sock"},
                    .piped_input = true,
                    .piped_errors = false});
  if (!agent) return std::fprintf(stderr, "%s\n", agent.error().message.c_str()), 1;
  pollfd ready{.fd = agent->output(), .events = POLLIN, .revents = 0};
  if (poll(&ready, 1, 20'000) != 1) return std::fprintf(stderr, "the agent is not ready\n"), 1;
  (void)http::ask(directory / "sock", "GET", "/v1/status", "", 5s);  // it has worked once, as one in use has
  std::this_thread::sleep_for(500ms);
  const auto pids = family(agent->pid());
  std::vector<long> before;
  before.reserve(pids.size());
  for (const auto pid : pids) before.push_back(voluntary_switches(pid));
  std::this_thread::sleep_for(observed);
  long sum = 0;
  long wakeups = 0;
  for (std::size_t index = 0; index < pids.size(); ++index) {
    const auto pss = number_after(read_text("/proc/" + std::to_string(pids[index]) + "/smaps_rollup").value_or(""), "Pss:");
    const auto switches = voluntary_switches(pids[index]) - before[index];
    std::printf("%-12s PSS %6ld kB   wake-ups in 10 s %3ld\n", subcommand_of(pids[index]).c_str(), pss, switches);
    sum += pss;
    wakeups += switches;
  }
  std::printf("%-12s PSS %6ld kB   wake-ups in 10 s %3ld   of 12288 kB: %.2f\n", "together", sum, wakeups,
              static_cast<double>(sum) / 12288);
  agent->input().reset();
  (void)agent->wait(boot_now() + 20s);
  std::filesystem::remove_all(directory);
  return 0;
}

}  // namespace
}  // namespace arashi

int main() { return arashi::bench(); }
