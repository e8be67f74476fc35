// The guard, live: a service whose phases the faults switch, a real agent, a real runner and a real Prometheus, all in a network namespace
// of the test's own. How long the users went without is read from a packet capture, not from what we say of ourselves.
#pragma once

#include "injector/core/json.hpp"
#include "tests/support/child.hpp"
#include "tests/support/http_server.hpp"
#include "tests/support/namespaces.hpp"

#include <filesystem>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

namespace arashi::testing {

// A namespace, a service in it that answers by the word in a file, a capture of what it answers, and an experiment that changes the word.
class Scene {
 public:
  // errors: 500; hang: no answer for 20 s; killed: the connection is reset; no-scrape: that, and the page of metrics is cut off; blind:
  // only the page is, requests go well.
  explicit Scene(std::string phase);

  [[nodiscard]] int port() const { return server_->port(); }
  [[nodiscard]] const Namespace& netns() const { return netns_; }
  [[nodiscard]] std::filesystem::path folder() const { return folder_.path(); }
  [[nodiscard]] bool broken() const;

  // `slo` is what measures it; `guard` its rules. So long of the phase, undone when it ends.
  void write(const std::string& slo, const std::string& guard, const std::string& length = "60s") const;
  [[nodiscard]] std::string load(const std::string& timeout) const;       // `load` and the `slos` that it measures
  [[nodiscard]] std::string load_beside(const std::string& other) const;  // the same with two sources, `other` the second
  Child start() const;
  Child user() const;  // asks ten times a second, for a scene without a load
  [[nodiscard]] Json result() const;

  // Seconds in which users had no good answer: the longest time between two of them, 0 if it is no longer than `long_gap`, which is more
  // than what lies between two questions. Not all long times together: a busy machine makes some by itself, long before and after.
  double outage(double long_gap);

 private:
  [[nodiscard]] std::string pcap() const { return (folder() / "answers.pcap").string(); }
  [[nodiscard]] Answered answer(const Asked& asked);
  void count(bool bad);
  void say(const std::string& word) const;

  std::string phase_;
  Directory folder_;
  Namespace netns_;
  std::mutex mutex_;
  double total_ = 0, errors_ = 0;
  Duration counted_{};
  std::unique_ptr<HttpServer> server_;
  std::optional<Child> capture_;
};

// A real one, in a scene's namespace; it has two samples when this returns.
class Prometheus {
 public:
  explicit Prometheus(const Scene& scene);
  void kill() { child_->end(); }
  static std::string source();  // prometheus: {…}
  static std::string slo();     // the `slos` that it measures alone

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

Ended finish(Scene& scene, const std::string& phase, Child& child, double long_gap = 0.4);
void check(const Ended& ended, double bound);  // restored, and the outage within it
std::string layer_of(const Ended& ended);      // that stopped it

std::string text_of(const std::filesystem::path& path);

}  // namespace arashi::testing
