// What every fault must keep, also the next one: these cases loop over the generated table.
#include "injector/core/id.hpp"
#include "tests/contract/stage.hpp"

#include <doctest/doctest.h>

using namespace arashi;
using namespace arashi::testing;

namespace {

template <class Visit>
void for_each_way(Visit visit) {
  REQUIRE_FALSE(all_faults().empty());
  for (const auto* fault : all_faults()) {
    const auto count = Stage().ways_of(*fault).size();
    CHECK_MESSAGE(count > 0, fault->name, " is not tried at all");
    for (std::size_t index = 0; index < count; ++index) {
      Stage stage;
      const auto way = stage.ways_of(*fault).at(index);
      INFO(way.name());
      visit(stage, way);
    }
  }
}

PreparedRecord must_prepare(const Host& host, const Fault& fault, const Request& request) {
  auto prepared = fault.prepare(host, request);
  if (!prepared) FAIL(fault.name << ": " << prepared.error().message);
  return std::move(prepared).value();
}

// A device that came up again, or a process that was killed, is as it was a moment later: the kernel tells no one when.
void check_as_before(Stage& stage, const Way& way, const std::string& id, const Snapshot& before) {
  eventually([&] { return difference(before, stage.look(way, id)).empty(); }, std::chrono::seconds(10));
  CHECK(difference(before, stage.look(way, id)) == "");
}

}  // namespace

TEST_CASE("every fault declares itself completely, and its examples and fallbacks are valid") {
  for (const auto* fault : all_faults()) {
    INFO(fault->name);
    CHECK(find_fault(fault->name) == fault);
    CHECK_FALSE(fault->summary.empty());
    CHECK_FALSE(fault->scopes.empty());
    const bool is_whole = fault->prepare != nullptr && fault->apply != nullptr && fault->revert != nullptr && fault->observe != nullptr;
    CHECK(is_whole);
    Json examples = Json::object();
    for (const auto& param : fault->params) {
      INFO(param.name);
      CHECK_FALSE(param.name.empty());
      CHECK_FALSE(param.summary.empty());
      REQUIRE_FALSE(param.example.empty());
      CHECK((param.fallback.empty() || !param.required));
      CHECK((param.type != ParamType::choice || !param.choices.empty()));
      examples[std::string(param.name)] = example_of(param);
    }
    const auto check = check_params(fault->params, examples);
    for (const auto& problem : check.problems) CHECK_MESSAGE(false, problem.message);
    CHECK(check_canonical(fault->params, check.canonical).empty());
  }
}

TEST_CASE("unknown, extreme and mistyped parameters are refused by every fault, in a spec and on the wire") {
  for (const auto* fault : all_faults()) {
    INFO(fault->name);
    CHECK_FALSE(check_params(fault->params, {{"noSuchParameter", 1}}).problems.empty());
    CHECK_FALSE(check_canonical(fault->params, {{"noSuchParameter", 1}}).empty());
    for (const auto& param : fault->params) {
      INFO(param.name);
      const std::string name(param.name);
      const auto refuses = [&](const Json& value) {
        for (const auto& problem : check_canonical(fault->params, {{name, value}}))
          if (problem.name == name) return true;
        return false;
      };
      CHECK(refuses(Json::object()));
      CHECK(refuses(nullptr));
      CHECK(refuses(Json::array({1, {2}})));
      if (param.type == ParamType::duration || param.type == ParamType::percent) CHECK(refuses(-1));
      if (param.type == ParamType::percents) CHECK(refuses(Json::array({1.5})));
      if (param.type != ParamType::text && param.type != ParamType::list) CHECK(refuses("no such value"));
      if (param.most < 1e18) CHECK(refuses(param.most * 2 + 1));
      if (param.most < 1e18 && param.type == ParamType::numbers) CHECK(refuses(Json::array({static_cast<std::int64_t>(param.most) + 1})));
    }
  }
}

TEST_CASE("prepare changes nothing, and revert without apply changes nothing") {
  for_each_way([](Stage& stage, const Way& way) {
    const Machine machine(stage.directory());
    const auto asked = request(std::string(way.fault->name), stage.victim(way.kind), way.given);
    const auto before = stage.look(way, asked.id);
    const auto prepared = must_prepare(machine.host(), *way.fault, asked);
    CHECK(difference(before, stage.look(way, asked.id)) == "");
    CHECK_FALSE(prepared.claims.empty());
    CHECK_FALSE(prepared.mechanism.empty());
    CHECK_FALSE(prepared.undo.empty());
    const auto reverted = way.fault->revert(machine.host(), prepared.change);
    CHECK_MESSAGE(reverted.has_value(), reverted.error().message);
    CHECK(difference(before, stage.look(way, asked.id)) == "");
  });
}

TEST_CASE("an applied fault is in place, and after a revert, and another one, the machine is as it was") {
  for_each_way([](Stage& stage, const Way& way) {
    const Machine machine(stage.directory());
    const auto asked = request(std::string(way.fault->name), stage.victim(way.kind), way.given);
    const auto before = stage.look(way, asked.id);
    const auto prepared = must_prepare(machine.host(), *way.fault, asked);
    const auto evidence = way.fault->apply(machine.host(), prepared.change);
    if (!evidence) FAIL_CHECK(evidence.error().message);
    if (evidence) CHECK(evidence->in_place);
    if (way.fault->reversible) CHECK(difference(before, stage.look(way, asked.id)) != "");
    for (int time = 0; time < 2; ++time) {
      const auto reverted = way.fault->revert(machine.host(), prepared.change);
      CHECK_MESSAGE(reverted.has_value(), reverted.error().message);
      check_as_before(stage, way, asked.id, before);
    }
  });
}

TEST_CASE("what was applied by a process that is gone is taken back by one that knows only the journal") {
  for_each_way([](Stage& stage, const Way& way) {
    const auto asked = request(std::string(way.fault->name), stage.victim(way.kind), way.given);
    const auto before = stage.look(way, asked.id);
    const auto host = host_in(stage.directory());
    {
      // Its workers end with it, as they do with an agent that is killed; nothing is reverted.
      const auto workers = make_workers(host);
      Host with_workers = host;
      with_workers.workers = workers.get();
      auto journal = Journal::open(host.run, Journal::Durability::until_reboot);
      REQUIRE(journal);
      Injector injector(with_workers, std::move(journal).value(), std::nullopt);
      const auto injected = injector.inject(std::string(way.fault->name), asked);
      if (!injected) FAIL_CHECK(injected.error().message);
    }
    auto journal = Journal::open(host.run, Journal::Durability::until_reboot);
    REQUIRE(journal);
    REQUIRE(journal->open_injections().size() == 1);
    Injector recovering(host, std::move(journal).value(), std::nullopt);
    const auto ended = recovering.recover();
    REQUIRE(ended.size() == 1);
    CHECK_MESSAGE(ended[0].step == Step::reverted, ended[0].problem);
    check_as_before(stage, way, asked.id, before);
    CHECK(recovering.live() == 0);
  });
}

TEST_CASE("a target that vanishes between plan and inject is a clear error, and nothing is left") {
  for_each_way([](Stage& stage, const Way& way) {
    if (way.kind == "node") return;
    const Machine machine(stage.directory());
    const auto asked = request(std::string(way.fault->name), stage.victim(way.kind), way.given);
    const auto prepared = must_prepare(machine.host(), *way.fault, asked);
    stage.clear();
    const auto before = stage.look(way, asked.id);
    if (way.fault->name != "command.run") {  // what a user's command thinks of a victim that is gone is the command's own affair
      const auto applied = way.fault->apply(machine.host(), prepared.change);
      REQUIRE_FALSE(applied.has_value());
      CHECK_MESSAGE(applied.error().blame == Blame::missing, applied.error().message);
    }
    const auto reverted = way.fault->revert(machine.host(), prepared.change);
    CHECK_MESSAGE(reverted.has_value(), reverted.error().message);
    CHECK(difference(before, stage.look(way, asked.id)) == "");
  });
}

TEST_CASE("a target that vanished is refused by the injector before anything is written down") {
  for_each_way([](Stage& stage, const Way& way) {
    if (way.kind == "node") return;
    Machine machine(stage.directory());
    const auto asked = request(std::string(way.fault->name), stage.victim(way.kind), way.given);
    stage.clear();
    const auto injected = machine.injector().inject(std::string(way.fault->name), asked);
    REQUIRE_FALSE(injected.has_value());
    CHECK_MESSAGE(injected.error().blame == Blame::missing, injected.error().message);
    CHECK(machine.injector().live() == 0);
  });
}
