// What ends a run, live: each case ends reverted within the bound that is declared for it, by a packet capture.
#include "tests/system/guard_scene.hpp"

#include <doctest/doctest.h>

#include <csignal>
#include <thread>
#include <vector>

namespace arashi::testing {

using namespace std::chrono_literals;

// Declared: 4 s to find an outage at 10 requests/s and more, the latency threshold and a second until its slice is closed, 1 s to roll
// back.
TEST_CASE("live guard: errors, a hang and a dead service are stopped and reverted within the declared bound") {
  std::vector<Ended> all(3);
  const std::vector<std::string> phases{"errors", "hang", "killed"};
  std::vector<std::unique_ptr<Scene>> scenes;
  scenes.reserve(phases.size());
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
    const Child user = scenes[0]->user();
    Child child = scenes[0]->start();
    all[0] = finish(*scenes[0], "lost scrapes", child);
  });
  threads.emplace_back([&] {  // 1 % of the budget are 25.9 s of all requests, or 8.6 s at three times their mean rate
    scenes[1]->write(Prometheus::slo(), "budget: 1%");
    const Child user = scenes[1]->user();
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
  // By what Prometheus last said nothing was wrong; what it no longer says is charged. A look, and the way back.
  check(all[1], 25.92 / 3 + 1 + 1);
  CHECK(layer_of(all[1]) == "cap");
  CHECK(all[1].exit_code == 1);
  check(all[2], 5 + 0.25 + 1.5);
  CHECK(all[2].exit_code != 0);
}

}  // namespace arashi::testing
