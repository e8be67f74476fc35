// The control group on the demo platform: three real wallets, one faulted; and an incident of the test's own that hits all three.
#include "tests/system/demo_platform.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <sstream>

namespace arashi::testing {

using namespace std::chrono_literals;

namespace {

constexpr const char* faulted = "http://10.87.0.21:8080/transfer";
constexpr const char* untouched = "http://10.87.0.22:8080/transfer";

using Times = std::vector<std::optional<double>>;

std::ptrdiff_t slow(const Times& times) {
  return std::ranges::count_if(times, [](const auto& took) { return !took || *took > 0.25; });
}

struct Timed {
  Duration begun{}, ended{};
  bool slow = false;
};

Timed timed_transfer_at(const char* wallet) {
  const Duration begun = boot_now();
  const auto took = time_at_wallet(wallet);
  return {.begun = begun, .ended = boot_now(), .slow = !took || *took > 0.25};
}

// Of the transfers that began while those were slow, the share that was slow too; 1 where there were too few to say so.
double share_slow_meanwhile(const std::vector<Timed>& of, const std::vector<Timed>& those) {
  const auto is_slow = [](const Timed& each) { return each.slow; };
  const auto first = std::ranges::find_if(those, is_slow);
  const auto last = std::find_if(those.rbegin(), those.rend(), is_slow);
  if (first == those.end()) return 1;
  int slow = 0, all = 0;
  for (const auto& each : of)
    if (each.begun >= first->begun && each.begun <= last->ended) slow += each.slow ? 1 : 0, ++all;
  return all < 3 ? 1 : double(slow) / all;
}

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
  Watch<Timed> one([] { return timed_transfer_at(faulted); }, 10ms);
  Watch<Timed> other([] { return timed_transfer_at(untouched); }, 10ms);
  Run run({example("control-group.yaml")});
  CHECK(run.wait() == 1);
  // Seen by curl. While the fault is there, which is for little more than a second, each transfer of the one takes 0.3 s and more; of the
  // other, those that a busy machine holds up.
  CHECK(std::ranges::count_if(one.all(), [](const Timed& each) { return each.slow; }) >= 2);
  CHECK(share_slow_meanwhile(one.all(), one.all()) > share_slow_meanwhile(other.all(), one.all()));
  CHECK(share_slow_meanwhile(other.all(), one.all()) < 0.5);
  REQUIRE(run.result.is_object());
  CHECK(run.result["outcome"] == "refuted");
  const Json& effect = run.result["slos"][0]["effect"];
  REQUIRE(effect.is_object());
  CHECK(effect["cause"] == "fault");
  CHECK(effect["treated"]["bad"].get<int>() > 5);
  CHECK(effect["control"]["bad"].get<int>() * 3 < effect["treated"]["bad"].get<int>());
  CHECK(effect["control"]["total"].get<int>() > effect["treated"]["total"].get<int>());
  CHECK(effect["lowest"].get<double>() > 2);
  CHECK(effect["ratio"].get<double>() >= effect["lowest"].get<double>());
  CHECK(run.result["abort"]["reasons"].dump().find("the fault is the cause") != std::string::npos);
  CHECK(run.output.find("as likely to fail as one to an unfaulted replica: the fault is the cause") != std::string::npos);
  check_left_as_found(before, run);
}

TEST_CASE("control group: an incident that hits the untouched replicas too makes the run inconclusive, and it says so") {
  const Platform platform;
  const Snapshot before = Platform::snapshot({});
  const Directory home;
  Watch<std::optional<double>> one([] { return time_at_wallet(faulted); });
  Watch<std::optional<double>> other([] { return time_at_wallet(untouched); });
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
  CHECK(run.result["reasons"].dump().find("probably an independent incident, not the fault") != std::string::npos);
  CHECK(run.output.find("INCONCLUSIVE") != std::string::npos);
  check_left_as_found(before, run);
}

}  // namespace arashi::testing
