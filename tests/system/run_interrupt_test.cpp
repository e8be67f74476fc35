// ^C and SIGTERM in each state of a real run, also in those that wait for somebody who says nothing.
#include "tests/support/http_server.hpp"
#include "tests/system/demo_platform.hpp"

#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <doctest/doctest.h>
#include <test_paths.hpp>

#include <csignal>
#include <fstream>
#include <sstream>

namespace arashi::testing {

namespace fs = std::filesystem;

namespace {

using std::chrono::seconds;

// A busy machine may be slow; what was waited for before is 5 to 60 s.
constexpr Duration soon = seconds(3);

std::string text_of(const fs::path& file) {
  std::ifstream in(file);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

// Takes connections and never answers.
class Silent {
 public:
  explicit Silent(const fs::path& socket) : listener_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    socket.string().copy(address.sun_path, sizeof address.sun_path - 1);
    REQUIRE(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
    REQUIRE(::listen(listener_.get(), 8) == 0);
  }
  Silent() : listener_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{.sin_family = AF_INET, .sin_port = 0, .sin_addr = {htonl(INADDR_LOOPBACK)}, .sin_zero = {}};
    socklen_t length = sizeof address;
    REQUIRE(::bind(listener_.get(), reinterpret_cast<const sockaddr*>(&address), length) == 0);
    REQUIRE(::listen(listener_.get(), 8) == 0);
    REQUIRE(::getsockname(listener_.get(), reinterpret_cast<sockaddr*>(&address), &length) == 0);
    port_ = ntohs(address.sin_port);
  }
  void await() { peer_.reset(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC)); }
  [[nodiscard]] std::string url() const { return "http://127.0.0.1:" + std::to_string(port_); }

 private:
  Fd listener_, peer_;
  int port_ = 0;
};

struct Spec {
  std::string slos, check = "'true'", steady = "0s";
};

std::string text_of(const Spec& spec, std::int32_t victim) {
  return "apiVersion: arashi.dev/v1\nkind: Experiment\nmetadata: {name: stopped}\nspec:\n  targets:\n    it: {process: {pid: " +
         std::to_string(victim) + "}}\n" + spec.slos + "  checks:\n    wait: {command: [sh, -c, " + spec.check +
         "], when: [before], timeout: 60s}\n  steadyState: {for: " + spec.steady +
         "}\n  timeline:\n    - {at: 0s, for: 60s, on: it, fault: process.pause}\n  recovery: {within: 2s}\n  limits: {duration: 2m}\n";
}

// Runs until `state` is in the events, sends the signal; everything has ended soon after, and nothing is left.
void stop_in(const std::string& state, const Spec& spec, int signal) {
  CAPTURE(state);
  const Directory folder;
  auto victim = sleeper();
  std::ofstream(folder.path() / "it.yaml") << text_of(spec, victim.pid());
  Run run({"--out", folder.path() / "out", folder.path() / "it.yaml"});
  const std::string entered = R"("detail":")" + state + R"(")";
  CHECK(eventually([&] { return text_of(folder.path() / "out" / "events.jsonl").find(entered) != std::string::npos; }, seconds(40)));
  const Duration asked = boot_now();
  run.signal(signal);
  CHECK(run.wait(seconds(50)) == 4);
  CHECK(boot_now() - asked < soon);
  CHECK(text_of(folder.path() / "out" / "result.json").find("interrupted by " + std::string(signal == SIGINT ? "^C" : "SIGTERM")) !=
        std::string::npos);
  CHECK(process_state(victim.pid()) == 'S');
}

}  // namespace

TEST_CASE("a run is stopped while a silent agent is asked what it can do") {
  const Directory folder;
  Silent agent(folder.path() / "agent.sock");
  std::ofstream(folder.path() / "it.yaml") << text_of(Spec{}, ::getpid());
  Run run({"--agents", "unix:" + (folder.path() / "agent.sock").string(), folder.path() / "it.yaml"});
  agent.await();
  const Duration asked = boot_now();
  run.signal(SIGINT);
  CHECK(run.wait(seconds(50)) == 4);
  CHECK(boot_now() - asked < soon);
  CHECK(run.output.find("interrupted by ^C while the agents were asked; nothing was changed") != std::string::npos);
}

TEST_CASE("a run is stopped while the past is asked of a Prometheus that says nothing") {
  const Silent prometheus;
  stop_in("preparing",
          {.slos = "  slos:\n    pay: {objective: 99%, window: 30d, prometheus: {url: '" + prometheus.url() + "', bad: b, total: t}}\n"},
          SIGTERM);
}

TEST_CASE("a run is stopped while a check takes its time") { stop_in("checking", {.check = "sleep 50"}, SIGINT); }

TEST_CASE("a run is stopped while it waits for the steady state, and while a fault is there") {
  const HttpServer server([](const Asked&) { return Answered{}; });
  const std::string slos =
      "  slos:\n    pay: {objective: 99%, window: 30d, load: l, latency: 3s}\n  load:\n    l: {url: '" + server.url() + "', rate: 20/s}\n";
  stop_in("steady", {.slos = slos, .steady = "50s"}, SIGTERM);
  stop_in("observing", {.slos = slos, .steady = "1s"}, SIGINT);
}

}  // namespace arashi::testing
