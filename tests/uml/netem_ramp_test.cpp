// A ramp of netem, seen by ping and by tc; and what becomes of it when the worker that moves it on dies or stands still.
#include "agent/workers/netem_ramp_worker.hpp"
#include "injector/core/json.hpp"
#include "tests/support/child.hpp"
#include "tests/support/forked_workers.hpp"
#include "tests/support/network.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

using namespace arashi;
using namespace arashi::test;
using namespace std::chrono_literals;

namespace {

const Wire& the_wire() {
  static const Wire wire;
  return wire;
}

std::string state(const Wire& wire) {
  return wire.here("sh -c 'tc qdisc show; tc filter show dev eth0 egress; tc filter show dev eth0 ingress; ip -o link'").text;
}

struct Ramp {
  ForkedWorkers workers{workers::let_netem_grow};
  Host host;
  std::string before = state(the_wire());
  Injected fault;

  explicit Ramp(Json given) : host(with(workers)), fault(host, "network.impair", the_wire().victim(), on_netem(std::move(given))) {
    CHECK(fault.prepared.mechanism == "netem");
    CHECK(fault.applied.in_place);
  }
  static Host with(Workers& workers) {
    Host host;
    host.workers = &workers;
    return host;
  }
  static Json on_netem(Json given) {
    given["backend"] = "netem";
    return given;
  }
  [[nodiscard]] std::string id() const { return fault.prepared.change.at("impairment").at("id").get<std::string>(); }
  [[nodiscard]] std::int32_t worker() const { return workers.pid(id()); }
};

// When each answered echo was sent, in seconds since the first one, and how long it took, in ms. ping tells when the answer came.
struct Echo {
  double sent = 0, took = 0;
};
std::vector<Echo> echoes(const std::string& arguments) {
  const auto said = the_wire().here("ping -n -D " + arguments);
  std::vector<Echo> all;
  std::istringstream lines(said.text);
  for (std::string line; std::getline(lines, line);) {
    double came = 0;
    double took = 0;
    const auto at = line.find("time=");
    if (at == std::string::npos || std::sscanf(line.c_str(), "[%lf]", &came) != 1) continue;
    if (std::sscanf(line.c_str() + at, "time=%lf", &took) == 1) all.push_back({came - took / 1000, took});
  }
  std::ranges::sort(all, {}, &Echo::sent);
  REQUIRE_MESSAGE(!all.empty(), said.text);
  const double first = all.front().sent;
  for (auto& echo : all) echo.sent -= first;
  return all;
}

// Twice, with more than half a second between them, in which a ramp that goes on would grow by more than 60 ms. The least, as a busy
// machine delays some of them.
void check_stays() {
  const auto measure = [] { return ping(the_wire(), "-i 0.02 -c 20 -W 2 10.77.0.2"); };
  const auto first = measure();
  std::this_thread::sleep_for(200ms);
  const auto second = measure();
  for (const auto& pings : {first, second}) {
    CHECK(pings.received == pings.sent);  // not a black hole
    CHECK(pings.least > 20);
    CHECK(pings.least < 700);  // of 800
  }
  CHECK(second.least - first.least < 15);
  CHECK(first.least - second.least < 15);
}

}  // namespace

TEST_CASE("a ramp of netem: a ping takes longer and longer, then as long as was asked, and the worker has ended by itself") {
  Ramp ramp({{"delay", "400ms"}, {"ramp", "3s"}});
  const auto all = echoes("-i 0.1 -c 40 -W 2 10.77.0.2");
  CHECK(all.size() == 40);
  CHECK(all.front().took < 80);
  int late = 0;
  for (const auto& echo : all) {
    const auto sent = echo.sent;
    const auto took = echo.took;
    INFO("sent ", sent, " s after the first one, took ", took, " ms");
    const double grown = std::min(1.0, sent / 3) * 400;
    CHECK(took > grown - 60);  // the ramp had begun before the first ping, and a busy machine may be late with a step of it
    late +=
        took < grown + 75 ? 0 : 1;  // it had begun by at most 450 ms, in which the delay grows by 60; and the guest has one slow processor
    if (sent > 3.1) CHECK(took > 399.5);
  }
  CHECK(late <= 10);  // of 40
  CHECK_FALSE(ramp.workers.state(ramp.id()).alive);
  const auto evidence = ramp.fault.observe();
  CHECK(evidence.in_place);
  CHECK(evidence.affected == 40);
  REQUIRE_FALSE(evidence.values.empty());
  CHECK(evidence.values[0].achieved == 400e6);
  ramp.fault.revert();
  CHECK(ping(the_wire(), "-i 0.02 -c 10 10.77.0.2").least < 20);
  CHECK(state(the_wire()) == ramp.before);
}

TEST_CASE("a ramp of netem whose worker is killed half way: lost, at the value it had, and reverted") {
  const Ramp ramp({{"delay", "400ms"}, {"ramp", "3s"}, {"direction", "both"}});
  std::this_thread::sleep_for(900ms);
  CHECK(ramp.fault.observe().in_place);
  REQUIRE(::kill(ramp.worker(), SIGKILL) == 0);
  CHECK(arashi::testing::eventually([&] { return !ramp.fault.observe().in_place; }));
  const auto evidence = ramp.fault.observe();
  CHECK_FALSE(evidence.in_place);
  CHECK_MESSAGE(evidence.detail.find("the worker that lets netem grow is gone") != std::string::npos, evidence.detail);
  check_stays();
  ramp.fault.revert();
  CHECK(state(the_wire()) == ramp.before);
  ramp.fault.revert();
  CHECK(state(the_wire()) == ramp.before);
}

TEST_CASE("a ramp of netem whose worker stands still: said within two seconds, packets pass, and it is reverted") {
  const Ramp ramp({{"delay", "400ms"}, {"ramp", "10s"}});
  std::this_thread::sleep_for(1500ms);
  REQUIRE(::kill(ramp.worker(), SIGSTOP) == 0);
  check_stays();
  CHECK(arashi::testing::eventually([&] { return !ramp.fault.observe().in_place; }));
  const auto evidence = ramp.fault.observe();
  CHECK_FALSE(evidence.in_place);
  CHECK_MESSAGE(evidence.detail.find("stopped or starved") != std::string::npos, evidence.detail);
  ramp.fault.revert();
  CHECK(state(the_wire()) == ramp.before);
}

TEST_CASE("a ramp of netem with a rate, a loss and a shape of its own ends as tc shows it asked; with a burst it is refused") {
  Ramp ramp({{"delay", "40ms"},
             {"jitter", "10ms"},
             {"distribution", "normal"},
             {"gemodel", {"3%", "30%"}},
             {"rate", "8mbit"},
             {"slotMin", "1ms"},
             {"ramp", "500ms"}});
  REQUIRE(arashi::testing::eventually([&] { return !ramp.workers.state(ramp.id()).alive; }, 20s));  // it has come to its end
  CHECK(ramp.fault.observe().in_place);
  const auto said = the_wire().here("sh -c 'tc -j qdisc show dev $(ls /sys/class/net | grep n0$)'");
  const auto shown = parse_json(said.text);
  REQUIRE_MESSAGE(shown.has_value(), said.text);
  const auto options = shown->front()["options"];
  CHECK(options["delay"]["delay"].get<double>() == doctest::Approx(0.04));
  CHECK(options["delay"]["jitter"].get<double>() == doctest::Approx(0.01));
  CHECK(options["loss-gemodel"]["p"].get<double>() == doctest::Approx(0.03).epsilon(0.001));
  CHECK(options["loss-gemodel"]["1-h"].get<double>() == doctest::Approx(1));
  CHECK(options["rate"]["rate"].get<double>() == doctest::Approx(1e6));
  CHECK(options["slot"]["min-delay"].get<double>() == doctest::Approx(0.001));
  const auto refused = find_fault("network.impair")
                           ->prepare(ramp.host, {.id = unique_id(),
                                                 .experiment = "test",
                                                 .victim = the_wire().victim(),
                                                 .params = canonical(*find_fault("network.impair"),
                                                                     Ramp::on_netem({{"rate", "8mbit"}, {"burst", "10K"}, {"ramp", "1s"}})),
                                                 .duration = {}});
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().blame == Blame::unsupported);
}
