// The guard, live: a service whose phases the faults switch, a real agent, a real runner and a real Prometheus, all in a network namespace
// of the test's own. How long the users went without is read from a packet capture, not from what we say of ourselves.
#include "tests/support/child.hpp"
#include "tests/support/http_server.hpp"
#include "tests/support/namespaces.hpp"

#include "injector/core/json.hpp"

#include <doctest/doctest.h>
#include <test_paths.hpp>

#include <fcntl.h>
#include <sched.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <sstream>
#include <thread>

namespace arashi::testing {

using namespace std::chrono_literals;

namespace {

namespace fs = std::filesystem;

std::string text_of(const fs::path& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

// A namespace, a service in it that answers by the word in a file, a capture of what it answers, and an experiment that changes the word.
class Scene {
 public:
  explicit Scene(const std::string& phase) : phase_(phase) {
    say("ok");
    std::thread([this] {  // the socket belongs to the namespace; the thread that makes it does not come back
      const Fd netns(::open(netns_.path().c_str(), O_RDONLY | O_CLOEXEC));
      if (::setns(netns.get(), CLONE_NEWNET) == 0)
        server_ = std::make_unique<HttpServer>([this](const Asked& asked) { return answer(asked); });
    })
        .join();
    REQUIRE(server_);
    capture_.emplace(netns_.spawn({"tcpdump", "-i", "lo", "-n", "-tt", "-A", "-l", "-s", "200", "-w", pcap(), "tcp", "src", "port",
                                   std::to_string(server_->port())}));
    eventually([&] { return fs::exists(pcap()); });
  }

  [[nodiscard]] int port() const { return server_->port(); }
  [[nodiscard]] const Namespace& netns() const { return netns_; }
  [[nodiscard]] fs::path folder() const { return folder_.path(); }
  [[nodiscard]] bool broken() const { return text_of(folder() / "phase").starts_with(phase_); }

  // `slo` is what measures it; `guard` its rules. 60 s of the phase, undone when it ends.
  void write(const std::string& slo, const std::string& guard) const {
    const std::string switch_to = ", '" + (folder() / "phase").string() + "']";
    std::ofstream(folder() / "spec.yaml") << "apiVersion: arashi.dev/v1\nkind: Experiment\nmetadata: {name: live-" << phase_
                                          << "}\nspec:\n  targets: {box: {node: {}}}\n"
                                          << slo << "  guard: {" << guard
                                          << "}\n  steadyState: {for: 2s}\n  recovery: {within: 5s}\n  timeline:\n"
                                          << "    - {at: 0s, for: 60s, fault: command.run, on: box, with: {command: [sh, -c, 'echo "
                                          << phase_ << " > \"$0\"'" << switch_to << ", undo: [sh, -c, 'echo ok > \"$0\"'" << switch_to
                                          << ", verify: [grep, -q, " << phase_ << ", '" << (folder() / "phase").string() << "']}}\n";
  }
  [[nodiscard]] std::string load(const std::string& timeout) const {
    return "  load: {pay: {url: \"http://127.0.0.1:" + std::to_string(port()) + "/\", rate: 50/s, timeout: " + timeout +
           "}}\n  slos: {pay: {objective: 99.9%, load: pay, latency: 300ms}}\n";
  }
  Child start() const {
    return testing::spawn({.argv = {BIN_DIR "/arashi", "run", (folder() / "spec.yaml").string(), "--out", (folder() / "run").string(),
                                    "--run-dir", (folder() / "state").string()},
                           .netns = netns_.path(),
                           .errors_into_output = true});
  }
  [[nodiscard]] Json result() const { return Json::parse(text_of(folder() / "run" / "result.json"), nullptr, false); }

  // Seconds without a good answer: from the last before the first long gap to the first after the last long one. `long_gap`: seconds, more
  // than what lies between two questions.
  double outage(double long_gap) {
    capture_->signal(SIGINT);
    capture_->wait(boot_now() + 5s);
    const Ran read = run({"tcpdump", "-r", pcap(), "-n", "-tt", "-A"}, 20s);
    std::istringstream lines(read.output);
    std::string line;
    double at = 0, last = 0, first_gap = 0, end = 0;
    while (std::getline(lines, line)) {
      if (line.find(" IP ") != std::string::npos) at = std::stod(line);
      if (line.find("HTTP/1.1 200") == std::string::npos) continue;
      if (last > 0 && at - last > long_gap) {
        if (first_gap == 0) first_gap = last;
        end = at;
      }
      last = at;
    }
    return end - first_gap;
  }

 private:
  [[nodiscard]] std::string pcap() const { return (folder() / "answers.pcap").string(); }
  void say(const std::string& word) const { std::ofstream(folder() / "phase") << word << "\n"; }
  [[nodiscard]] Answered answer(const Asked& asked) {
    const bool bad = broken();
    if (asked.target == "/metrics") return bad && phase_ == "no-scrape" ? Answered{.cut = true} : metrics(bad);
    if (!bad) return {};
    if (phase_ == "errors") return {.status = 500, .body = "no\n"};
    if (phase_ == "hang") return {.after = 20s};
    return {.cut = true};  // killed: the connection is reset
  }
  // A hundred requests a second, all bad while it is broken.
  Answered metrics(bool bad) {
    const std::lock_guard lock(mutex_);
    const Duration now = boot_now();
    const double events = counted_ == Duration{} ? 1 : seconds(now - counted_) * 100;
    counted_ = now;
    total_ += events;
    if (bad && phase_ != "no-scrape") errors_ += events;
    return {.body = "requests_total " + std::to_string(total_) + "\nerrors_total " + std::to_string(errors_) + "\n",
            .headers = "Content-Type: text/plain; version=0.0.4\r\n"};
  }

  std::string phase_;
  Directory folder_;
  Namespace netns_;
  std::mutex mutex_;
  double total_ = 0, errors_ = 0;
  Duration counted_{};
  std::unique_ptr<HttpServer> server_;
  std::optional<Child> capture_;
};

class Prometheus {
 public:
  explicit Prometheus(const Scene& scene) {
    const fs::path folder = scene.folder();
    std::ofstream(folder / "prometheus.yml") << "global: {scrape_interval: 1s, scrape_timeout: 1s}\nscrape_configs:\n  - job_name: pay\n"
                                             << "    static_configs: [{targets: ['127.0.0.1:" << scene.port() << "']}]\n";
    child_.emplace(scene.netns().spawn({"prometheus", "--config.file=" + (folder / "prometheus.yml").string(),
                                        "--storage.tsdb.path=" + (folder / "data").string(), "--web.listen-address=127.0.0.1:9090",
                                        "--log.level=error"}));
    const auto knows = [&] {
      return scene.netns()
                 .run({"curl", "-s", "-g", "http://127.0.0.1:9090/api/v1/query?query=increase(requests_total[1m])"})
                 .output.find("value") != std::string::npos;
    };
    REQUIRE(eventually(knows, 20s));
  }
  void kill() { child_->end(); }
  static std::string slo() {
    return "  slos:\n    pay:\n      objective: 99.9%\n      prometheus: {url: \"http://127.0.0.1:9090\", bad: errors_total, total: "
           "requests_total, every: 250ms, scrape: 1s}\n";
  }

 private:
  std::optional<Child> child_;
};

struct Ended {
  std::string phase, output;
  double outage = 0;
  int exit_code = -1;
  bool restored = false;
  Json result;
};

Ended finish(Scene& scene, const std::string& phase, Child& child, double long_gap = 0.4) {
  Ended ended{.phase = phase};
  ended.output = read_all(child, 60s);
  ended.exit_code = child.wait(boot_now() + 5s).value_or(-1);
  ended.restored = text_of(scene.folder() / "phase") == "ok\n";
  ended.outage = scene.outage(long_gap);
  ended.result = scene.result();
  return ended;
}

void check(const Ended& ended, double bound) {
  CAPTURE(ended.phase);
  INFO(ended.output);
  MESSAGE(ended.phase << ": " << ended.outage << " s without a good answer by the packets, declared at most " << bound);
  CHECK(ended.restored);
  CHECK(ended.outage > 0.4);
  CHECK(ended.outage <= bound);
}

std::string layer_of(const Ended& ended) {
  if (!ended.result.is_object() || !ended.result["abort"].is_object()) return "none";
  return ended.result["abort"]["reasons"][0]["layer"].get<std::string>();
}

}  // namespace

// Declared: 4 s to find an outage at 10 requests/s and more, the latency threshold and a second until its slice is closed, 1 s to roll
// back.
TEST_CASE("live guard: errors, a hang and a dead service are stopped and reverted within the declared bound") {
  std::vector<Ended> all(3);
  const std::vector<std::string> phases{"errors", "hang", "killed"};
  std::vector<std::unique_ptr<Scene>> scenes;
  for (const auto& phase : phases) scenes.push_back(std::make_unique<Scene>(phase));
  std::vector<std::jthread> threads;
  for (std::size_t i = 0; i < phases.size(); ++i)
    threads.emplace_back([&, i] {
      scenes[i]->write(scenes[i]->load("1s"), "budget: 2%");
      Child child = scenes[i]->start();
      all[i] = finish(*scenes[i], phases[i], child);
    });
  threads.clear();
  for (const auto& ended : all) {
    check(ended, 4 + 0.3 + 1 + 1);
    CHECK(ended.exit_code == 1);
    CHECK(layer_of(ended) == "e-process");
  }
}

// Declared: the lease of 5 s and 250 ms, or what the guard may not see at most: what it charges, and how long data may be silent.
TEST_CASE("live guard: lost scrapes, a stopped Prometheus and a frozen runner end it as well") {
  std::vector<std::unique_ptr<Scene>> scenes;
  for (const auto* phase : {"no-scrape", "errors", "errors"}) scenes.push_back(std::make_unique<Scene>(phase));
  std::vector<Ended> all(3);
  Prometheus of_lost_scrapes(*scenes[0]), stopped(*scenes[1]);
  std::vector<std::jthread> threads;
  threads.emplace_back([&] {
    scenes[0]->write(Prometheus::slo(), "budget: 20%, onNoData: abort");
    Child child = scenes[0]->start();
    all[0] = finish(*scenes[0], "lost scrapes", child, 1.5);  // a scrape a second
  });
  threads.emplace_back([&] {  // 1 % of the budget are 25.9 s of all requests, or 8.6 s at three times their mean rate
    scenes[1]->write(Prometheus::slo(), "budget: 1%");
    Child child = scenes[1]->start();
    if (eventually([&] { return scenes[1]->broken(); }, 30s)) stopped.kill();
    all[1] = finish(*scenes[1], "Prometheus stopped", child);
  });
  threads.emplace_back([&] {
    scenes[2]->write(scenes[2]->load("1s"), "budget: 2%");
    Child child = scenes[2]->start();
    if (eventually([&] { return scenes[2]->broken(); }, 30s)) child.signal(SIGSTOP);
    const bool reverted = eventually([&] { return !scenes[2]->broken(); }, 15s);
    child.signal(SIGCONT);
    all[2] = finish(*scenes[2], "runner frozen", child);
    all[2].restored = all[2].restored && reverted;
  });
  threads.clear();
  check(all[0], 2.5 + 2 + 1 + 1);  // stale after 2.5 scrapes; a look, a scrape and the way back
  CHECK(layer_of(all[0]) == "no-data");
  CHECK(all[0].exit_code == 1);
  CHECK(all[1].restored);  // by what Prometheus last said nothing was wrong; what it no longer says is charged
  CHECK(layer_of(all[1]) == "cap");
  CHECK(all[1].exit_code == 1);
  check(all[2], 5 + 0.25 + 1.5);
  CHECK(all[2].exit_code != 0);
}

}  // namespace arashi::testing
