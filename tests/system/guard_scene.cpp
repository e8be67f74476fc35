#include "tests/system/guard_scene.hpp"

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
namespace fs = std::filesystem;

namespace {

constexpr const char* good_answer = "X-Answer: good";  // by this the capture knows what users got, beside what Prometheus scraped

}  // namespace

std::string text_of(const fs::path& path) {
  std::ifstream file(path);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

Scene::Scene(std::string phase) : phase_(std::move(phase)) {
  say("ok");
  std::thread([this] {  // the socket belongs to the namespace; the thread that makes it does not come back
    const Fd netns(::open(netns_.path().c_str(), O_RDONLY | O_CLOEXEC));
    if (::setns(netns.get(), CLONE_NEWNET) == 0)
      server_ = std::make_unique<HttpServer>([this](const Asked& asked) { return answer(asked); });
  })
      .join();
  REQUIRE(server_);
  capture_.emplace(netns_.spawn(
      {"tcpdump", "-i", "lo", "-n", "-tt", "-A", "-l", "-s", "400", "-w", pcap(), "tcp", "src", "port", std::to_string(server_->port())}));
  eventually([&] { return fs::exists(pcap()); });
}

// Somebody who asks ten times a second, for at most two minutes: where no load is part of the experiment.
Child Scene::user() const {
  const std::string ask = "curl -s -o /dev/null --max-time 1 http://127.0.0.1:" + std::to_string(port()) + "/";
  return testing::spawn(
      {.argv = {"sh", "-c", "for i in $(seq 1200); do " + ask + "; sleep 0.08; done"}, .netns = netns_.path(), .errors_into_output = true});
}

bool Scene::broken() const { return text_of(folder() / "phase").starts_with(phase_); }

void Scene::say(const std::string& word) const { std::ofstream(folder() / "phase") << word << "\n"; }

void Scene::write(const std::string& slo, const std::string& guard, const std::string& length) const {
  const std::string switch_to = ", '" + (folder() / "phase").string() + "']";
  std::ofstream(folder() / "spec.yaml") << "apiVersion: arashi.dev/v1\nkind: Experiment\nmetadata: {name: live-" << phase_
                                        << "}\nspec:\n  targets: {box: {node: {}}}\n"
                                        << slo << "  guard: {" << guard
                                        << "}\n  steadyState: {for: 2s}\n  recovery: {within: 5s}\n  timeline:\n"
                                        << "    - {at: 0s, for: " << length
                                        << ", fault: command.run, on: box, with: {command: [sh, -c, 'echo " << phase_ << " > \"$0\"'"
                                        << switch_to << ", undo: [sh, -c, 'echo ok > \"$0\"'" << switch_to << ", verify: [grep, -q, "
                                        << phase_ << ", '" << (folder() / "phase").string() << "']}}\n";
}

std::string Scene::load(const std::string& timeout) const {
  return "  load: {pay: {url: \"http://127.0.0.1:" + std::to_string(port()) + "/\", rate: 50/s, timeout: " + timeout +
         "}}\n  slos: {pay: {objective: 99.9%, load: pay, latency: 300ms}}\n";
}

std::string Scene::load_beside(const std::string& other) const {
  return "  load: {pay: {url: \"http://127.0.0.1:" + std::to_string(port()) +
         "/\", rate: 50/s, timeout: 1s}}\n  slos:\n    pay:\n      objective: 99.9%\n      sources:\n        - {load: pay, latency: "
         "300ms}\n        - " +
         other + "\n";
}

Child Scene::start() const {
  return testing::spawn({.argv = {BIN_DIR "/arashi", "run", (folder() / "spec.yaml").string(), "--out", (folder() / "run").string(),
                                  "--run-dir", (folder() / "state").string()},
                         .netns = netns_.path(),
                         .errors_into_output = true});
}

Json Scene::result() const { return Json::parse(text_of(folder() / "run" / "result.json"), nullptr, false); }

double Scene::outage(double long_gap) {
  capture_->signal(SIGINT);
  capture_->wait(boot_now() + 5s);
  const Ran read = run({"tcpdump", "-r", pcap(), "-n", "-tt", "-A"}, 20s);
  std::istringstream lines(read.output);
  std::string line;
  double at = 0, last = 0, longest = 0;
  while (std::getline(lines, line)) {
    if (line.find(" IP ") != std::string::npos) at = std::stod(line);
    if (line.find(good_answer) == std::string::npos) continue;
    if (last > 0) longest = std::max(longest, at - last);
    last = at;
  }
  return longest > long_gap ? longest : 0;
}

Answered Scene::answer(const Asked& asked) {
  const bool bad = broken();
  const bool page_is_cut = phase_ == "no-scrape" || phase_ == "blind";
  count(bad && !page_is_cut);
  if (asked.target == "/metrics") {
    if (bad && page_is_cut) return {.cut = true};
    const std::lock_guard lock(mutex_);
    return {.body = "requests_total " + std::to_string(total_) + "\nerrors_total " + std::to_string(errors_) + "\n",
            .headers = "Content-Type: text/plain; version=0.0.4\r\n"};
  }
  if (!bad || phase_ == "blind") return {.headers = std::string(good_answer) + "\r\n"};
  if (phase_ == "errors") return {.status = 500, .body = "no\n"};
  if (phase_ == "hang") return {.after = 20s};
  return {.cut = true};  // killed: the connection is reset
}

// A hundred requests a second, all bad while it is broken: until now since it was counted last, so that a short time between two scrapes
// counts as well.
void Scene::count(bool bad) {
  const std::lock_guard lock(mutex_);
  const Duration now = boot_now();
  const double events = counted_ == Duration{} ? 1 : seconds(now - counted_) * 100;
  counted_ = now;
  total_ += events;
  if (bad) errors_ += events;
}

Prometheus::Prometheus(const Scene& scene) {
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

std::string Prometheus::source() {
  return "prometheus: {url: \"http://127.0.0.1:9090\", bad: errors_total, total: requests_total, every: 250ms, scrape: 1s}";
}

std::string Prometheus::slo() { return "  slos:\n    pay:\n      objective: 99.9%\n      " + source() + "\n"; }

Ended finish(Scene& scene, const std::string& phase, Child& child, double long_gap) {
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
  CHECK(ended.outage > 0);  // there was a long gap
  CHECK(ended.outage <= bound);
}

std::string layer_of(const Ended& ended) {
  if (!ended.result.is_object() || !ended.result["abort"].is_object()) return "none";
  return ended.result["abort"]["reasons"][0]["layer"].get<std::string>();
}

}  // namespace arashi::testing
