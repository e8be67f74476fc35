// One network fault with a peer and a port into a namespace: from the request to the verified effect, against the commands that do nearly
// the same. The commands' filter only classifies, as not every kernel has an action that drops, so their side is a little favoured.
#include "experiments/fleet/awaited.hpp"
#include "experiments/fleet/fleet.hpp"
#include "injector/core/json.hpp"
#include "injector/fault.hpp"
#include "injector/host/socket_shelf.hpp"
#include "injector/network/classifier_stock.hpp"
#include "tests/bench/network.hpp"

#include <test_paths.hpp>

#include <chrono>
#include <filesystem>
#include <future>
#include <thread>

using namespace arashi;
using namespace arashi::bench;

namespace {

double milliseconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start).count();
}

// Between any two steps of either side: the agent loads its next program, which is not what is measured, and nobody's caches are warm.
constexpr auto pause = std::chrono::milliseconds(20);

struct Times {
  std::vector<double> inject, revert;
};

const Json& asked() {
  static const Json params{{"loss", "1%"}, {"peers", {"10.77.0.2"}}, {"protocol", "tcp"}, {"ports", {"6379"}}};
  return params;
}

Victim victim_on(const Wire& wire) {
  Victim victim;
  victim.kind = "netns";
  victim.scope = Scope::netns;
  victim.label = wire.here;
  victim.netns = wire.inode();
  victim.netns_path = wire.path();
  return victim;
}

template <class Value>
Value must_have(Result<Value> result) {
  if (result) return std::move(result).value();
  std::fprintf(stderr, "%s\n", result.error().message.c_str());
  std::exit(1);
}

// An agent loads its program ahead; the first of several at once finds it ready, the others load theirs.
enum class Ready { yes, no };

Times ours(const Wire& wire, int rounds, Ready ready) {
  const Fault& fault = *find_fault("network.impair");
  ClassifierStock stock;  // as the agent has it
  Host host;
  host.classifiers = ready == Ready::yes ? &stock : nullptr;
  Times times;
  for (int i = 0; i < rounds; ++i) {
    if (ready == Ready::yes) stock.fill();
    stock.wait();
    std::this_thread::sleep_for(pause);
    auto start = std::chrono::steady_clock::now();
    const Request request{.id = "bench" + std::to_string(100 + i),
                          .experiment = "bench",
                          .victim = victim_on(wire),
                          .params = check_params(fault.params, asked()).canonical};
    SocketShelf sockets;  // of each injection, as the injector makes it
    host.sockets = &sockets;
    const auto prepared = fault.prepare(host, request);
    if (!prepared) std::exit((std::fprintf(stderr, "%s\n", prepared.error().message.c_str()), 1));
    const auto evidence = fault.apply(host, prepared->change);
    if (!evidence || !evidence->in_place) std::exit((std::fprintf(stderr, "not in place\n"), 1));
    times.inject.push_back(milliseconds_since(start));
    std::this_thread::sleep_for(pause);
    start = std::chrono::steady_clock::now();
    host.sockets = nullptr;
    if (!fault.revert(host, prepared->change)) std::exit(1);
    times.revert.push_back(milliseconds_since(start));
  }
  return times;
}

// All of it: HTTP and JSON over the unix socket, api and injector process, policy, journal, and the evidence in the answer.
Times by_agent(const Wire& wire, int rounds) {
  const auto directory = std::filesystem::temp_directory_path() / ("arashi-bench-" + std::to_string(getpid()));
  const auto& fault = *find_fault("network.impair");
  Times times;
  {
    const auto embedded = must_have(fleet::Embedded::start(BIN_DIR "/arashi-agent", directory));
    const auto agent = fleet::reach(must_have(fleet::Loop::start()), embedded.address());
    const protocol::LeaseRequest lease{.experiment = "bench", .ttl = std::chrono::seconds(10)};
    for (int i = 0; i < rounds; ++i) {
      must_have(fleet::answer_of<protocol::LeaseReply>([&](auto then) { agent->lease(lease, then); }));
      std::this_thread::sleep_for(pause);
      const protocol::InjectRequest request{.experiment = "bench",
                                            .id = "bench" + std::to_string(100 + i),
                                            .fault = "network.impair",
                                            .victim = victim_on(wire),
                                            .params = check_params(fault.params, asked()).canonical,
                                            .duration = std::chrono::minutes(1)};
      auto start = std::chrono::steady_clock::now();
      if (!must_have(fleet::answer_of<protocol::InjectReply>([&](auto then) { agent->inject(request, then); })).evidence.in_place)
        std::exit((std::fprintf(stderr, "not in place\n"), 1));
      times.inject.push_back(milliseconds_since(start));
      std::this_thread::sleep_for(pause);
      start = std::chrono::steady_clock::now();
      must_have(
          fleet::answer_of<protocol::RevertReply>([&](auto then) { agent->revert({.experiment = "bench", .id = request.id}, then); }));
      times.revert.push_back(milliseconds_since(start));
    }
  }
  std::filesystem::remove_all(directory);
  return times;
}

Times commands(const Wire& wire, int rounds) {
  const auto enter = "nsenter --net=" + wire.path() + " tc ";
  const std::vector<std::string> sequence{
      enter + "qdisc add dev eth0 clsact",
      enter +
          "filter add dev eth0 egress prio 1 protocol ip u32 match ip dst 10.77.0.2/32 match ip protocol 6 0xff match ip dport 6379 0xffff "
          "flowid 1:1",
      enter + "qdisc show dev eth0 >/dev/null",
      enter + "filter show dev eth0 egress >/dev/null",
  };
  Times times;
  for (int i = 0; i < rounds; ++i) {
    std::this_thread::sleep_for(pause);
    auto start = std::chrono::steady_clock::now();
    for (const auto& command : sequence) must(command);
    times.inject.push_back(milliseconds_since(start));
    std::this_thread::sleep_for(pause);
    start = std::chrono::steady_clock::now();
    must(enter + "qdisc del dev eth0 clsact");
    times.revert.push_back(milliseconds_since(start));
  }
  return times;
}

void row(const char* what, const std::vector<double>& fast, const std::vector<double>& slow) {
  std::printf("%-28s %10.3f %10.3f %10.3f %10.3f %8.1fx\n", what, percentile(fast, 0.5), percentile(fast, 0.99), percentile(slow, 0.5),
              percentile(slow, 0.99), percentile(slow, 0.5) / percentile(fast, 0.5));
}

}  // namespace

int main() {
  const Wire wire;
  // As in an agent, not on the process's first thread, which has others enter namespaces.
  const auto by_thread = [&wire](int rounds, Ready ready) {
    return std::async(std::launch::async, [&wire, rounds, ready] { return ours(wire, rounds, ready); }).get();
  };
  by_thread(5, Ready::yes);
  const auto fast = by_thread(200, Ready::yes);
  const auto cold = by_thread(50, Ready::no);
  const auto whole = by_agent(wire, 100);
  const auto slow = commands(wire, 50);
  std::printf("%-28s %10s %10s %10s %10s %9s\n", "milliseconds", "ours p50", "p99", "tc p50", "p99", "ratio p50");
  row("inject (to verified)", fast.inject, slow.inject);
  row("inject, program not ready", cold.inject, slow.inject);
  row("inject through an agent", whole.inject, slow.inject);
  row("revert", fast.revert, slow.revert);
  row("revert through an agent", whole.revert, slow.revert);
  return 0;
}
