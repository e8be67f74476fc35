// Several sources of one SLO, live: a load and a real Prometheus beside each other.
#include "tests/system/guard_scene.hpp"

#include <doctest/doctest.h>

#include <thread>
#include <vector>

namespace arashi::testing {

using namespace std::chrono_literals;

namespace {

std::uint64_t inputs_of_source(Scene& scene, int source) {
  const std::string text = text_of(scene.folder() / "run" / "guard.jsonl");
  const std::string wanted = "\"source\":" + std::to_string(source);
  std::uint64_t found = 0;
  for (auto at = text.find(wanted); at != std::string::npos; at = text.find(wanted, at + 1)) ++found;
  return found;
}

bool says(const Ended& ended, const std::string& text) { return ended.output.find(text) != std::string::npos; }

}  // namespace

// The service counts a hundred requests a second for Prometheus, and answers fifty of the load: two streams of the same SLO.
TEST_CASE("several sources, live: each is evidence, none is added to another, and only the authoritative one can be missed") {
  std::vector<std::unique_ptr<Scene>> scenes;
  for (const auto* phase : {"errors", "blind", "blind"}) scenes.push_back(std::make_unique<Scene>(phase));
  std::vector<std::unique_ptr<Prometheus>> servers;
  servers.reserve(scenes.size());
  for (const auto& scene : scenes) servers.push_back(std::make_unique<Prometheus>(*scene));
  const std::string evidence = "{" + Prometheus::source() + ", authoritative: false}";
  scenes[0]->write(scenes[0]->load_beside(evidence), "budget: 2%");
  scenes[1]->write(scenes[1]->load_beside(evidence), "budget: 2%, onNoData: abort", "8s");
  scenes[2]->write(scenes[2]->load_beside("{" + Prometheus::source() + "}"), "budget: 20%, onNoData: abort");
  std::vector<Ended> all(3);
  const std::vector<std::string> names{"errors, two sources", "evidence lost", "authority lost"};
  std::vector<std::jthread> threads;
  for (std::size_t i = 0; i < 3; ++i)
    threads.emplace_back([&, i] {
      Child child = scenes[i]->start();
      all[i] = finish(*scenes[i], names[i], child, 0.15);  // two sources may stop it within half a second
    });
  threads.clear();

  check(all[0], 4 + 0.3 + 1 + 1);
  CHECK(all[0].exit_code == 1);
  CHECK(layer_of(all[0]) == "e-process");
  REQUIRE(all[0].result["slos"].size() == 1);
  const Json& slo = all[0].result["slos"][0];
  REQUIRE(slo["sources"].size() == 2);
  CHECK(slo["sources"][0]["name"] == "load pay");
  CHECK(slo["sources"][0]["authoritative"] == true);
  CHECK(slo["sources"][1]["name"] == "prometheus");
  CHECK(slo["sources"][1]["authoritative"] == false);
  for (const auto& source : slo["sources"]) CHECK(source["bad"].get<int>() > 5);
  CHECK(slo["bad"] == slo["sources"][0]["bad"]);  // not the sum
  CHECK(inputs_of_source(*scenes[0], 1) > 3);
  CHECK(says(all[0], "by prometheus (not authoritative): "));

  CAPTURE(all[1].output);
  CHECK(all[1].exit_code == 0);  // the load saw it all, and all was well
  CHECK(all[1].result["slos"][0]["sources"][1]["bad"] == 0);
  CHECK(says(all[1], "prometheus (not authoritative)"));

  CAPTURE(all[2].output);
  CHECK(all[2].exit_code == 1);
  CHECK(all[2].restored);
  CHECK(layer_of(all[2]) == "no-data");
  CHECK(says(all[2], "pay (prometheus): "));
}

}  // namespace arashi::testing
