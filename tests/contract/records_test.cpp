// A record that this release can't read: one key missing, of another type, or unknown. It is stuck and told, and is never acted upon; what
// stands before and behind it in the journal is reverted all the same.
#include "injector/core/id.hpp"
#include "tests/contract/stage.hpp"
#include "tests/support/agent.hpp"

#include <doctest/doctest.h>
#include <test_paths.hpp>

#include <algorithm>
#include <map>
#include <set>

using namespace arashi;
using namespace arashi::testing;

namespace {

struct Broken {
  std::string key;  // its path: "change.netns.inode"
  std::string how;
  Json change;
};

// Objects whose keys are a user's or a victim's own words: any may be there, and none must.
const std::set<std::string> free_objects{"change.env", "change.victim.selector.match"};

std::string joined(const std::string& path, const std::string& name) { return path.empty() ? name : path + "." + name; }

// Every key at every depth, missing and of a type that fits nowhere, and an unknown one beside them. Of a list the first item stands for
// all.
void break_below(const Json& whole, const Json::json_pointer& at, const std::string& path, std::vector<Broken>& all) {
  const auto& here = whole.at(at);
  if (here.is_array() && !here.empty()) return break_below(whole, at / 0, path + "[0]", all);
  if (!here.is_object()) return;
  if (!free_objects.contains(path)) {
    auto more = whole;
    more.at(at)["noSuchKey"] = 1;
    all.push_back({joined(path, "noSuchKey"), "unknown", std::move(more)});
  }
  for (const auto& [name, value] : here.items()) {
    const auto key = joined(path, name);
    if (!free_objects.contains(path)) {
      auto less = whole;
      less.at(at).erase(name);
      all.push_back({key, "missing", std::move(less)});
    }
    auto other = whole;
    other.at(at)[name] = value.is_object() ? Json::array({Json::array()}) : Json{{"no", {{"such", "type"}}}};
    all.push_back({key, "mistyped", std::move(other)});
    break_below(whole, at / name, key, all);
  }
}

std::vector<Broken> broken(const Json& change) {
  std::vector<Broken> all;
  break_below(change, Json::json_pointer(), "change", all);
  return all;
}

Prepared<Json> must_prepare(const Host& host, const Fault& fault, const Request& asked) {
  auto prepared = fault.prepare(host, asked);
  if (!prepared) FAIL(fault.name << ": " << prepared.error().message);
  return std::move(prepared).value();
}

// Two processes that stand still, as an agent that was killed has left them, with room in time between.
class Neighbours {
 public:
  explicit Neighbours(const Host& host) : older_(sleeper()), newer_(sleeper()) {
    auto journal = Journal::open(host.run, Journal::Durability::until_reboot);
    if (!journal) FAIL(journal.error().message);
    Injector injector(host, std::move(journal).value(), std::nullopt);
    for (const auto* child : {&older_, &newer_}) {
      const auto asked = request("process.pause", the_victim(host, {"process", {{"pid", std::to_string(child->pid())}}}), Json::object());
      const auto injected = injector.inject("process.pause", asked);
      if (!injected) FAIL(injected.error().message);
      made_.push_back(injected->made);
      REQUIRE(process_state(child->pid()) == 'T');
    }
  }

  [[nodiscard]] Duration between() const { return (made_.at(0) + made_.at(1)) / 2; }
  void check_reverted() const {
    for (const auto* child : {&older_, &newer_}) CHECK(eventually([&] { return process_state(child->pid()) != 'T'; }));
  }

 private:
  Child older_, newer_;
  std::vector<Duration> made_;
};

Injection record_for(const Request& asked, const Fault& fault, const Json& change, Duration made) {
  return {.id = new_id(),
          .experiment = asked.experiment,
          .fault = std::string(fault.name),
          .victim = asked.victim,
          .params = asked.params,
          .change = change,
          .claims = {},
          .mechanism = "test",
          .boot = boot_id().value_or(""),
          .made = made,
          .deadline = made + std::chrono::hours(1),
          .step = Step::active,
          .release = "0.0.1"};
}

void append(const Host& host, const std::vector<Injection>& records) {
  auto journal = Journal::open(host.run, Journal::Durability::until_reboot);
  if (!journal) FAIL(journal.error().message);
  for (const auto& record : records) REQUIRE(journal->append(record).has_value());
}

void check_told(const Reverted& ended, const Injection& record, const std::string& key) {
  INFO(key, ": ", ended.problem);
  CHECK(ended.step == Step::stuck);
  CHECK(ended.fault == record.fault);
  for (const auto& word : {record.id, record.fault, record.victim.label, record.release, key})
    CHECK_MESSAGE(ended.problem.find(word) != std::string::npos, "'", word, "' is not told");
}

// All broken records of one fault lie between two good ones.
void check_between_good_ones(const Way& way, const Request& asked, const Json& change) {
  const Directory directory;
  const auto host = host_in(directory.path());
  const Neighbours neighbours(host);
  std::map<std::string, std::pair<Injection, std::string>> bad;
  std::vector<Injection> records;
  for (const auto& each : broken(change)) {
    records.push_back(record_for(asked, *way.fault, each.change, neighbours.between()));
    bad.emplace(records.back().id, std::pair{records.back(), each.key});
  }
  append(host, records);
  auto journal = Journal::open(host.run, Journal::Durability::until_reboot);
  REQUIRE(journal);
  Injector recovering(host, std::move(journal).value(), std::nullopt);
  const auto all = recovering.recover();
  REQUIRE(all.size() == bad.size() + 2);
  for (const auto& ended : all) {
    const auto found = bad.find(ended.id);
    if (found == bad.end()) CHECK_MESSAGE(ended.step == Step::reverted, ended.problem);
    if (found != bad.end()) check_told(ended, found->second.first, found->second.second);
  }
  neighbours.check_reverted();
  CHECK(recovering.live() == bad.size());
}

// One way of each set of parameters: what the target is makes no other record.
template <class Visit>
void for_each_record(Visit visit) {
  for (const auto* fault : all_faults()) {
    Stage stage;
    std::set<std::string> done;
    for (const auto& way : stage.ways_of(*fault)) {
      if (!done.insert(to_text(way.given)).second) continue;
      INFO(way.name());
      const Machine machine(stage.directory());
      const auto asked = request(std::string(fault->name), stage.victim(way.kind), way.given);
      visit(stage, machine, way, asked, must_prepare(machine.host(), *fault, asked).change);
    }
  }
}

}  // namespace

TEST_CASE("a record that can't be read is refused by all of a fault's functions, and nothing is changed") {
  for_each_record([](Stage& stage, const Machine& machine, const Way& way, const Request& asked, const Json& change) {
    const auto before = stage.look(way, asked.id);
    CHECK(way.fault->readable(change).has_value());
    std::vector<Broken> all = broken(change);
    CHECK(all.size() > 6);
    for (const auto* nothing : {"null", "[]", "7", "{}"}) all.push_back({"change", "of no use", Json::parse(nothing)});
    for (const auto& each : all) {
      INFO(each.key, " is ", each.how);
      const auto readable = way.fault->readable(each.change);
      REQUIRE_FALSE(readable.has_value());
      CHECK_MESSAGE(readable.error().message.find(each.key) != std::string::npos, readable.error().message);
      CHECK_FALSE(way.fault->apply(machine.host(), each.change).has_value());
      CHECK_FALSE(way.fault->observe(machine.host(), each.change).has_value());
      CHECK_FALSE(way.fault->revert(machine.host(), each.change).has_value());
    }
    CHECK(difference(before, stage.look(way, asked.id)) == "");
  });
}

TEST_CASE("after a crash a record that can't be read is stuck and told with its key, and its neighbours are reverted") {
  for_each_record([](Stage& /*stage*/, const Machine& /*machine*/, const Way& way, const Request& asked, const Json& change) {
    check_between_good_ones(way, asked, change);
  });
}

TEST_CASE("a record whose own keys can't be read is stuck and told, and stays in the journal as it is") {
  const Directory directory;
  const auto host = host_in(directory.path());
  const Neighbours neighbours(host);
  const Request asked{.id = "", .experiment = "test", .victim = {.kind = "node", .label = "this machine"}, .params = Json::object()};
  const auto whole = record_of(record_for(asked, *find_fault("process.pause"), Json::object(), neighbours.between()));
  std::map<std::string, Json> bad;
  std::vector<Injection> records;
  for (const auto& [name, value] : whole.items()) {
    if (name == "id" || name == "boot") continue;
    for (const auto* how : {"missing", "mistyped", "renamed"}) {
      auto json = whole;
      json["id"] = new_id();
      if (std::string_view(how) != "mistyped") json.erase(name);
      if (std::string_view(how) == "mistyped") json[name] = Json::array({Json::array({1})});
      if (std::string_view(how) == "renamed") json["new" + name] = value;
      if (name == "params" || name == "change")
        if (std::string_view(how) == "mistyped") continue;  // these are a fault's own
      records.push_back(injection_of(json));
      CHECK(records.back().unread.has_value());
      CHECK(records.back().step == Step::stuck);
      bad.emplace(json["id"].get<std::string>(), json);
    }
  }
  append(host, records);
  for (int start = 0; start < 2; ++start) {
    auto journal = Journal::open(host.run, Journal::Durability::until_reboot);
    REQUIRE(journal);
    for (const auto& each : journal->open_injections())
      if (bad.contains(each.id)) CHECK(record_of(each) == bad.at(each.id));
    Injector recovering(host, std::move(journal).value(), std::nullopt);
    const auto all = recovering.recover();
    CHECK(all.size() == bad.size() + (start == 0 ? 2 : 0));
    for (const auto& ended : all)
      if (bad.contains(ended.id)) {
        CHECK(ended.step == Step::stuck);
        CHECK(ended.problem.find(ended.id) != std::string::npos);
        CHECK(ended.problem.find("key '") != std::string::npos);
      }
    neighbours.check_reverted();
  }
}

TEST_CASE("`arashi-agent recover`, and an agent at its start, tell of each fault's unreadable record and revert all others") {
  Agent agent;
  const auto again = [&](const std::string& how) {
    INFO(how);
    auto host = host_in(agent.run_dir().parent_path());
    const Neighbours neighbours(host);
    std::vector<Injection> records;
    for_each_record([&](Stage& /*stage*/, const Machine& /*machine*/, const Way& way, const Request& asked, Json change) {
      change.erase("id");
      if (change.contains("backend")) change.erase("backend");
      records.push_back(record_for(asked, *way.fault, change, neighbours.between()));
    });
    append(host, records);
    if (how == "recover") {
      const auto ran = run({BIN_DIR "/arashi-agent", "recover", "--run-dir", agent.run_dir().string()});
      CHECK(ran.exit_code == 6);
      for (const auto& record : records)
        CHECK_MESSAGE(ran.output.find(record.id + " " + record.fault + ": stuck") != std::string::npos, ran.output);
    } else {
      agent.start();
      const auto status = agent.ask("GET", "/v1/status").body;
      for (const auto& record : records) CHECK_MESSAGE(status.find(record.id) != std::string::npos, status);
    }
    neighbours.check_reverted();
  };
  REQUIRE(agent.end() == 0);
  again("recover");
  again("start");
}
