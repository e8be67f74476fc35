// How long a fault outlives its holder: a stopped process runs again after the injector process, the supervisor or the embedding runner is
// gone. DESIGN section 11: at most 250 ms. Needs root.
#include "agent/http/ask.hpp"
#include "agent/protocol/protocol.hpp"
#include "injector/core/id.hpp"
#include "injector/host/command.hpp"
#include "injector/host/files.hpp"

#include <test_paths.hpp>

#include <poll.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <thread>

namespace arashi {
namespace {

using namespace std::chrono_literals;

constexpr int rounds = 10;

enum class End { injector, supervisor, input, lease };

bool stands_still(std::int32_t pid) {
  const auto stat = read_text("/proc/" + std::to_string(pid) + "/stat").value_or("");
  const auto name_end = stat.rfind(')');
  return name_end != std::string::npos && stat.compare(name_end + 2, 1, "T") == 0;
}

std::int32_t only_child_of(std::int32_t pid) {
  const auto name = std::to_string(pid);
  return std::atoi(read_text("/proc/" + name + "/task/" + name + "/children").value_or("0").c_str());
}

[[noreturn]] void give_up(const std::string& why) {
  std::fprintf(stderr, "%s\n", why.c_str());
  std::exit(1);
}

template <class Reply, class Request>
Reply post(const std::filesystem::path& socket, const std::string& path, const Request& request) {
  const auto answer = http::ask(socket, "POST", path, protocol::print(request), 20s);
  if (!answer || answer->status != 200) give_up(path + ": " + (answer ? answer->body : answer.error().message));
  return protocol::parse<Reply>(answer->body).value();
}

Duration one_round(const std::filesystem::path& directory, End end) {
  const auto socket = directory / "sock";
  auto victim = Child::start({.argv = {"sleep", "600"}});
  auto agent = Child::start({.argv = {BIN_DIR "/arashi-agent", "--embedded", "--run-dir", directory / "run", "--socket", socket},
                             .piped_input = true,
                             .piped_errors = false});
  if (!victim || !agent) give_up("cannot start");
  pollfd ready{.fd = agent->output(), .events = POLLIN, .revents = 0};
  if (poll(&ready, 1, 20'000) != 1) give_up("the agent is not ready");
  const Selector selector{.kind = "process", .match = {{"pid", std::to_string(victim->pid())}}};
  const auto found = post<protocol::ResolveReply>(socket, "/v1/resolve", protocol::ResolveRequest{.selector = selector});
  const Duration ttl = end == End::lease ? Duration(500ms) : Duration(60s);
  (void)post<protocol::LeaseReply>(socket, "/v1/lease", protocol::LeaseRequest{.experiment = "death", .ttl = ttl});
  auto begin = boot_now() + ttl;
  (void)post<protocol::InjectReply>(
      socket, "/v1/inject",
      protocol::InjectRequest{
          .experiment = "death", .id = new_id(), .fault = "process.pause", .victim = found.victims.at(0), .duration = 60s});
  if (end != End::lease) begin = boot_now();
  if (end == End::injector) kill(only_child_of(agent->pid()), SIGKILL);
  if (end == End::supervisor) agent->signal(SIGKILL);
  if (end == End::input) agent->input().reset();
  while (stands_still(victim->pid()) && boot_now() - begin < 20s) std::this_thread::sleep_for(200us);
  const auto took = boot_now() - begin;
  agent->input().reset();
  (void)agent->wait(boot_now() + 20s);
  std::this_thread::sleep_for(50ms);  // the injector process of a killed supervisor ends by itself
  return took;
}

int bench() {
  std::string name = "/tmp/arashi-death-XXXXXX";
  if (mkdtemp(name.data()) == nullptr) return 1;
  constexpr std::pair<End, const char*> ends[] = {{End::injector, "injector process killed"},
                                                  {End::supervisor, "supervisor killed"},
                                                  {End::input, "embedding runner gone"},
                                                  {End::lease, "lease lost, after its TTL"}};
  for (const auto& [end, what] : ends) {
    std::vector<double> times;
    times.reserve(rounds);
    for (int round = 0; round < rounds; ++round) times.push_back(seconds(one_round(name, end)) * 1000);
    std::ranges::sort(times);
    std::printf("%-28s median %6.1f ms   max %6.1f ms   of 250 ms: %.2f\n", what, times[rounds / 2], times.back(), times.back() / 250);
  }
  std::filesystem::remove_all(name);
  return 0;
}

}  // namespace
}  // namespace arashi

int main() { return arashi::bench(); }
