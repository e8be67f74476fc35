// Somebody else changes what a fault had set, while it is active: the agent says so, and the revert does not undo their change.
#include "tests/contract/drift.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <string>
#include <string_view>
#include <vector>

using namespace arashi;
using namespace arashi::testing;

namespace {

constexpr auto patience = std::chrono::seconds(3);

// One injection on a stage of its own, and the scripts that happen to it.
class Play {
 public:
  Play(const Fault& fault, std::size_t way) : way_(stage_.ways_of(fault).at(way)), machine_(stage_.directory()) {
    asked_ = request(std::string(fault.name), stage_.victim(way_.kind), way_.given);
    before_ = stage_.look(way_, asked_.id);
    auto injected = machine_.injector().inject(std::string(fault.name), asked_);
    if (!injected) FAIL(way_.name() << ": " << injected.error().message);
    injection_ = std::move(injected).value();
  }

  [[nodiscard]] const Way& way() const { return way_; }
  [[nodiscard]] const std::string& mechanism() const { return injection_.mechanism; }

  void show(const Drift& drift) {
    INFO(way_.name(), " by ", injection_.mechanism, ": ", drift.what);
    must_do("what somebody else does", drift.does);
    check_seen(drift);
    must_do("before the revert, what was done stands", drift.stands);
    const auto then = stage_.look(way_, asked_.id);
    const auto ended = machine_.injector().revert("", asked_.id);
    REQUIRE(ended.size() == 1);
    CHECK_MESSAGE(ended[0].step == drift.ended, name_of(ended[0].step), ": ", ended[0].problem);
    must_do("after the revert, what was done stands", drift.stands);
    if (drift.for_good) {
      check_equal(without_ours(then));
      return;
    }
    if (!drift.takes_back.empty()) {
      if (way_.fault->reversible) CHECK(difference(before_, look()) != "");
      must_do("to take it back", drift.takes_back);
    }
    check_equal(before_);
  }

 private:
  [[nodiscard]] Snapshot look() const { return stage_.look(way_, asked_.id); }

  void check_equal(const Snapshot& wanted) {
    eventually([&] { return difference(wanted, look()).empty(); }, patience);
    CHECK(difference(wanted, look()) == "");
  }

  void check_seen(const Drift& drift) {
    const auto now = [&] { return machine_.injector().status().at(0); };
    eventually([&] { return now().step == drift.seen; }, drift.seen == Step::lost ? patience : Duration::zero());
    const auto seen = now();
    CHECK_MESSAGE(seen.step == drift.seen, name_of(seen.step), ": ", seen.problem, " ", seen.evidence.detail);
    CHECK((seen.step != Step::lost || !seen.problem.empty()));
    if (drift.passes_on) must_do("it is open", "ping -q -c 20 -i 0.002 -W 1 10.99.0.2 | grep -F ' 0% packet loss'");
  }

  void must_do(const std::string& what, const std::string& script) {
    const auto ran = stage_.play(script, asked_.id, machine_.host().workers->state(asked_.id).pid);
    CHECK_MESSAGE(ran.exit_code == 0, what, ": ", script, ": ", ran.output);
  }

  // What of a snapshot is the fault's own, and goes with it.
  Snapshot without_ours(Snapshot snapshot) const {
    const auto is_ours = [&](const std::string& line) {
      return line.find(asked_.id) != std::string::npos || line.find("ar" + asked_.id.substr(0, 8)) != std::string::npos;
    };
    for (auto& [section, lines] : snapshot) std::erase_if(lines, is_ours);
    snapshot.erase("processes of ours");
    snapshot.erase("bpf");
    return snapshot;
  }

  Stage stage_;
  Way way_;
  Machine machine_;
  Request asked_;
  Snapshot before_;
  Injection injection_;
};

// What others do is done to a mechanism: on another kind of target it would be the same again.
void drift(const Fault& fault) {
  const auto ways = Stage().ways_of(fault).size();
  REQUIRE(ways > 0);
  std::set<std::string> played;
  for (std::size_t way = 0; way < ways; ++way) {
    std::vector<Drift> drifts;
    std::string key;
    {
      const Play first(fault, way);
      drifts = drifts_of(first.way(), first.mechanism());
      key = first.mechanism();
    }
    CHECK_MESSAGE(!drifts.empty(), "tests/contract/drift.cpp does not say what others may do to ", fault.name);
    for (const auto& drift : drifts)
      if (played.insert(key + ": " + drift.what).second) Play(fault, way).show(drift);
  }
}

}  // namespace

TEST_CASE("drift: what somebody else changed of network.impair stays") { drift(*find_fault("network.impair")); }
TEST_CASE("drift: what somebody else changed of network.down stays") { drift(*find_fault("network.down")); }
TEST_CASE("drift: what somebody else changed of a process fault stays") {
  for (const auto* name : {"process.kill", "process.pause"}) drift(*find_fault(name));
}
TEST_CASE("drift: what somebody else changed of any other fault stays") {
  const std::vector<std::string_view> done{"network.impair", "network.down", "process.kill", "process.pause"};
  for (const auto* fault : all_faults())
    if (std::ranges::find(done, fault->name) == done.end()) drift(*fault);
}
