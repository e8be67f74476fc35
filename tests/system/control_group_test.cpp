// The control group on the demo platform: three real wallets, one faulted; and an incident of the test's own that hits all three.
#include "tests/system/demo_platform.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <fstream>
#include <sstream>

namespace arashi::testing {

using namespace std::chrono_literals;

namespace {

constexpr const char* faulted = "http://10.87.0.21:8080/transfer";
constexpr const char* untouched = "http://10.87.0.22:8080/transfer";

using Times = std::vector<std::optional<double>>;

// As time_of_transfer, past the gateway: a wallet wants a key for each transfer.
std::optional<double> transfer_at(const char* wallet) {
  static std::atomic<int> number{0};
  const Ran asked = run({"curl", "--silent", "--fail", "--noproxy", "*", "--max-time", "3", "--output", "/dev/null", "--write-out",
                         "%{time_total}", "--request", "POST", "--header", "Idempotency-Key: control-" + std::to_string(++number), wallet});
  return asked.exit_code == 0 ? std::optional(std::strtod(asked.output.c_str(), nullptr)) : std::nullopt;
}

std::ptrdiff_t slow(const Times& times) {
  return std::ranges::count_if(times, [](const auto& took) { return !took || *took > 0.25; });
}

double share_slow(const Times& times) { return double(slow(times)) / double(std::max<std::size_t>(times.size(), 1)); }

// The example with a fault that is there, and harmless.
std::string with_delay(const Directory& home, const std::string& delay) {
  std::ostringstream text;
  text << std::ifstream(example("control-group.yaml")).rdbuf();
  std::string spec = text.str();
  const auto replace = [&](const std::string& what, const std::string& by) {
    const auto at = spec.find(what);
    REQUIRE(at != std::string::npos);
    spec.replace(at, what.size(), by);
  };
  replace("delay: 300ms", "delay: " + delay);
  replace("demo/demo.sh", example("demo/demo.sh"));
  std::string file = (home.path() / "control.yaml").string();
  std::ofstream(file) << spec;
  return file;
}

// The ledger stands still for most of the time, until this ends: nobody's fault but the test's.
class Incident {
 public:
  explicit Incident(std::function<bool()> begins)
      : thread_([begins = std::move(begins)](const std::stop_token& stop) {
          while (!stop.stop_requested() && !begins()) std::this_thread::sleep_for(50ms);
          const auto pids = pids_of_pod("ledger");
          for (int i = 0; !stop.stop_requested() && i < 30; ++i) {
            for (const auto pid : pids) ::kill(pid, SIGSTOP);
            std::this_thread::sleep_for(900ms);
            for (const auto pid : pids) ::kill(pid, SIGCONT);
            std::this_thread::sleep_for(100ms);
          }
        }) {}

 private:
  std::jthread thread_;
};

void check_left_as_found(const Snapshot& before, Run& run) {
  CHECK(eventually([&] { return difference(before, Platform::snapshot(run.ids())).empty(); }));
  CHECK(difference(before, Platform::snapshot(run.ids())) == "");
  CHECK(demo("sum").exit_code == 0);
}

}  // namespace

TEST_CASE("control group: a fault at one replica of three is told as the fault's doing, with its effect and the interval") {
  const Platform platform;
  const Snapshot before = Platform::snapshot({});
  Watch<std::optional<double>> one([] { return transfer_at(faulted); });
  Watch<std::optional<double>> other([] { return transfer_at(untouched); });
  Run run({example("control-group.yaml")});
  CHECK(run.wait() == 1);
  // Seen by curl; a busy machine may be slow once by itself, but neither as often nor in the same share.
  CHECK(slow(one.all()) >= 3);
  CHECK(share_slow(one.all()) > 5 * share_slow(other.all()));
  REQUIRE(run.result.is_object());
  CHECK(run.result["outcome"] == "refuted");
  const Json& effect = run.result["slos"][0]["effect"];
  REQUIRE(effect.is_object());
  CHECK(effect["cause"] == "fault");
  CHECK(effect["treated"]["bad"].get<int>() > 10);
  CHECK(effect["control"]["bad"].get<int>() * 10 < effect["treated"]["bad"].get<int>());
  CHECK(effect["control"]["total"].get<int>() > effect["treated"]["total"].get<int>());
  CHECK(effect["lowest"].get<double>() > 2);
  CHECK(effect["ratio"].get<double>() >= effect["lowest"].get<double>());
  CHECK(run.result["abort"]["reasons"].dump().find("it is the fault's doing") != std::string::npos);
  CHECK(run.output.find("as likely to fail as one to an untouched replica: it is the fault's doing") != std::string::npos);
  check_left_as_found(before, run);
}

TEST_CASE("control group: an incident that hits the untouched replicas too makes the run inconclusive, and it says so") {
  const Platform platform;
  const Snapshot before = Platform::snapshot({});
  const Directory home;
  Watch<std::optional<double>> one([] { return transfer_at(faulted); });
  Watch<std::optional<double>> other([] { return transfer_at(untouched); });
  Run run({with_delay(home, "20ms")});
  {
    // As soon as the fault is seen to be there; a busy machine is slow too, but not each time.
    const Incident incident([&one] {
      const auto times = one.so_far();
      return times.size() > 5 && std::all_of(times.end() - 5, times.end(), [](const auto& took) { return took && *took > 0.019; });
    });
    CHECK(eventually([&] { return slow(other.so_far()) >= 2; }, 30s));
    run.wait();
  }
  CHECK(slow(one.all()) >= 2);
  CHECK(slow(other.all()) >= 2);
  REQUIRE(run.result.is_object());
  CHECK(run.result["exitCode"] == 5);
  CHECK(run.result["outcome"] == "inconclusive");
  CHECK(run.result["abort"]["abort"] == true);  // it is stopped all the same
  const Json& effect = run.result["slos"][0]["effect"];
  REQUIRE(effect.is_object());
  CHECK(effect["cause"] == "incident");
  CHECK(effect["control"]["bad"].get<int>() > 5);
  CHECK(run.result["reasons"].dump().find("an incident of its own") != std::string::npos);
  CHECK(run.output.find("INCONCLUSIVE") != std::string::npos);
  check_left_as_found(before, run);
}

}  // namespace arashi::testing
