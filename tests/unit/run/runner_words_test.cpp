// What an agent says in words is for people: whatever it says, the run goes the same way.
#include "tests/unit/run/world.hpp"

#include <doctest/doctest.h>

#include <functional>

using namespace arashi::run;

namespace {

struct Scene {
  const char* name;
  std::function<void(World&)> set;
};

const std::vector<Scene>& scenes() {
  static const auto status = [](arashi::Step step, arashi::Code code) {
    return [=](World& world) {
      world.status_step = step;
      world.status_code = code;
    };
  };
  static const std::vector<Scene> all{
      {"all is well", [](World&) {}},
      {"the inject is refused",
       [](World& world) {
         world.inject_problem = "x";
         world.inject_blame = arashi::Blame::refused;
       }},
      {"the inject fails",
       [](World& world) {
         world.inject_problem = "x";
         world.inject_blame = arashi::Blame::system;
       }},
      {"halted by a person", status(arashi::Step::reverted, arashi::Code::halted)},
      {"the lease expired", status(arashi::Step::reverted, arashi::Code::expired)},
      {"reverted for a reason of its own", status(arashi::Step::reverted, arashi::Code::none)},
      {"drifted", status(arashi::Step::drifted, arashi::Code::none)},
      {"lost", status(arashi::Step::lost, arashi::Code::none)},
      {"the revert is stuck", [](World& world) { world.revert_step = arashi::Step::stuck; }},
      {"the revert finds a drift", [](World& world) { world.revert_step = arashi::Step::drifted; }},
      {"no word to a revert", [](World& world) { world.answers_reverts = false; }},
  };
  return all;
}

// All that a run does and comes to, but for what is told in words.
std::string course_of(const Scene& scene, const std::string& words) {
  World world(an_experiment(),
              {planned("aaaaaaaa", {}, std::chrono::seconds(5)), planned("bbbbbbbb", std::chrono::seconds(7), std::chrono::seconds(5))});
  scene.set(world);
  world.words = words;
  if (!world.inject_problem.empty()) world.inject_problem = words;
  const auto& result = world.finish();
  std::string course(name_of(result.outcome));
  for (const auto& [state, at] : result.states) course += " " + std::string(name_of(state)) + "@" + arashi::to_text(at);
  for (const auto& fault : result.faults) course += " " + fault.id + ":" + std::string(name_of(fault.step));
  for (const auto& [at, command] : world.log) course += " " + std::to_string(command.index()) + "@" + arashi::to_text(at);
  return course;
}

}  // namespace

TEST_CASE("changing any message of an agent changes nothing that a run does") {
  std::set<std::string> courses;
  for (const auto& scene : scenes()) {
    INFO(scene.name);
    const auto course = course_of(scene, "why");
    courses.insert(course);
    for (const auto* words : {"halted", "drifted: expired", "stuck, lost and claimed", "\xe5\xb5\x90", "reverted"})
      CHECK_MESSAGE(course_of(scene, words) == course, words);
  }
  CHECK(courses.size() >= 8);  // the scenes do differ, by what is said in codes and steps
}

TEST_CASE("a person's halt ends a run as interrupted, an expired lease does not") {
  const auto outcome = [](arashi::Code code) {
    World world(an_experiment(), {planned("aaaaaaaa", {}, std::chrono::seconds(5))});
    world.status_step = arashi::Step::reverted;
    world.status_code = code;
    return world.finish().outcome;
  };
  CHECK(outcome(arashi::Code::halted) == Outcome::interrupted);
  CHECK(outcome(arashi::Code::expired) == Outcome::inconclusive);
}
