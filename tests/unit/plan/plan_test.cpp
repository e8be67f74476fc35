#include "experiments/plan/plan.hpp"

#include "experiments/plan/draw.hpp"
#include "experiments/plan/limits.hpp"
#include "experiments/plan/text.hpp"
#include "experiments/spec/parse.hpp"
#include "injector/core/id.hpp"
#include "injector/core/json.hpp"
#include "tests/unit/spec/catalogue.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <set>
#include <sstream>

using namespace arashi;
using namespace std::chrono_literals;

namespace {

constexpr std::int64_t monday_noon_utc = 1795435200;  // 2026-11-23 12:00:00 UTC

std::vector<Victim> wallets(int count) {
  std::vector<Victim> made;
  for (int i = count; i >= 1; --i)
    made.push_back({.kind = "netns",
                    .scope = Scope::netns,
                    .label = "netns wallet-" + std::to_string(i),
                    .netns = static_cast<std::uint64_t>(100 + i)});
  return made;
}

spec::Experiment experiment(const std::string& more = "", const std::string& pick = "all") {
  const std::string text =
      "apiVersion: arashi.dev/v1\nkind: Experiment\nmetadata: {name: x}\nspec:\n"
      "  hypothesis: It holds.\n"
      "  targets: {wallets: {netns: {name: 'wallet-*'}, pick: " +
      pick +
      "}}\n"
      "  slos: {s: {objective: 99.9%, load: l, latency: 300ms}}\n"
      "  load: {l: {url: 'http://x/', rate: 100/s}}\n"
      "  timeline:\n"
      "    - {at: 0s, for: 60s, fault: network.impair, on: wallets, with: {delay: 200ms, loss: 1%, ports: [6379, 80]}}\n"
      "  recovery: {within: 30s}\n" +
      more;
  auto parsed = spec::parse(text, test::catalogue());
  for (const auto& problem : parsed.problems) FAIL(spec::to_text("spec", problem));
  return std::move(parsed.experiment);
}

std::map<std::string, plan::Group> found(const std::string& target, std::vector<Victim> victims) {
  return {{target, {.target = target, .agent = "local", .found = std::move(victims)}}};
}

plan::Plan planned(const spec::Experiment& e, int victims, std::int64_t now = monday_noon_utc) {
  return plan::make(e, found("wallets", wallets(victims)), now, 42);
}

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const auto& line : lines) text += line + "\n";
  return text;
}

}  // namespace

TEST_CASE("a seed draws the same victims whatever the order in which they were found") {
  auto victims = wallets(20);
  const spec::Pick how{.mode = spec::Pick::Mode::count, .count = 5};
  const auto first = plan::pick(victims, how, 7);
  std::ranges::reverse(victims);
  CHECK(plan::pick(victims, how, 7) == first);
  CHECK(first.size() == 5);
  CHECK(plan::pick(victims, how, 8) != first);
  // Pinned: a replayed game day must hit the same ones with the next release too.
  std::vector<std::string> labels;
  labels.reserve(first.size());
  for (const auto& victim : first) labels.push_back(victim.label);
  CHECK(joined(labels) == "netns wallet-11\nnetns wallet-12\nnetns wallet-16\nnetns wallet-4\nnetns wallet-5\n");
}

TEST_CASE("every victim is drawn about as often as the others") {
  const auto victims = wallets(5);
  std::map<std::string, int> hits;
  constexpr int rounds = 5000;
  for (int seed = 0; seed < rounds; ++seed)
    for (const auto& victim : plan::pick(victims, {.mode = spec::Pick::Mode::count, .count = 2}, static_cast<std::uint64_t>(seed)))
      ++hits[victim.label];
  CHECK(hits.size() == 5);
  for (const auto& hit : hits) {
    const auto count = hit.second;
    CAPTURE(hit.first);
    CHECK(count > 1850);  // 2000 expected, standard deviation 35
    CHECK(count < 2150);
  }
}

TEST_CASE("a draw never takes one twice and never more than there are") {
  for (int size = 0; size <= 6; ++size)
    for (int count = 1; count <= 8; ++count) {
      const auto drawn = plan::draw(wallets(size), {.mode = spec::Pick::Mode::count, .count = count}, 3);
      CHECK(drawn.size() == static_cast<std::size_t>(std::min(size, count)));
      CHECK(std::set<std::size_t>(drawn.begin(), drawn.end()).size() == drawn.size());
    }
}

TEST_CASE("a percentage is rounded up and hits at least one") {
  const auto many = [](std::size_t of, double fraction) {
    return plan::how_many(of, {.mode = spec::Pick::Mode::percent, .percent = Percent{fraction}});
  };
  CHECK(many(3, 0.5) == 2);
  CHECK(many(4, 0.5) == 2);
  CHECK(many(10, 0.001) == 1);
  CHECK(many(10, 0.3) == 3);  // not 4: 10 * 0.3 is a little more than 3 in binary
  CHECK(many(10, 1) == 10);
  CHECK(many(0, 0.5) == 0);
}

TEST_CASE("a plan names every injection in order of time") {
  auto e = experiment();
  e.timeline.push_back({.at = 10s, .length = 5s, .fault = "network.impair", .on = "wallets", .params = e.timeline[0].params});
  const auto plan = planned(e, 2);
  CHECK(joined(plan.refusals).empty());
  REQUIRE(plan.injections.size() == 4);
  CHECK(plan.injections[0].victim.label == "netns wallet-1");
  CHECK(plan.injections[1].victim.label == "netns wallet-2");
  CHECK(plan.injections[2].at == 10s);
  CHECK(plan.injections[2].step == 1);
  CHECK(plan.injections[0].agent == "local");
  CHECK(plan.injections[0].params.at("delay") == 200000000);
  std::set<std::string> ids;
  for (const auto& one : plan.injections) {
    CHECK(is_id(one.id));
    ids.insert(one.id);
  }
  CHECK(ids.size() == 4);
}

TEST_CASE("victims of several agents are drawn from one group and keep their agents") {
  auto group = found("wallets", wallets(4));
  group["wallets"].found_on = {"d", "c", "b", "a"};  // wallet-4 on d … wallet-1 on a
  const auto plan = plan::make(experiment("", "{count: 2, seed: 1}"), group, monday_noon_utc, 42);
  REQUIRE(plan.injections.size() == 2);
  for (const auto& one : plan.injections) {
    const char number = one.victim.label.back();
    CHECK(one.agent == std::string(1, static_cast<char>('a' + (number - '1'))));
  }
}

TEST_CASE("a target without victims is refused and told what was looked for") {
  CHECK(joined(planned(experiment(), 0).refusals) ==
        "target 'wallets': nothing found for netns name=wallet-*; is it running on this machine?\n");
  CHECK(joined(plan::make(experiment(), {}, monday_noon_utc, 1).refusals) ==
        "target 'wallets': nothing found for netns name=wallet-*; is it running on this machine?\n");
  CHECK(joined(planned(experiment("", "{count: 3}"), 2).refusals) ==
        "target 'wallets': 3 are asked for, 2 found for netns name=wallet-*\n");
}

TEST_CASE("where an agent could not look, finding nothing is no finding") {
  const plan::Group unseen{.target = "wallets", .looked_everywhere = false};
  CHECK(plan::make(experiment(), {{"wallets", unseen}}, monday_noon_utc, 1).refusals.empty());
}

TEST_CASE("limits of victims and share are held") {
  CHECK(joined(planned(experiment("  limits: {targets: 1, share: 34%}\n"), 3).refusals) ==
        "3 victims would be hit, limits.targets allows 1: pick fewer, or raise the limit if that is meant\n"
        "target 'wallets': 3 of 3 (100%) would be hit, limits.share allows 34%: pick fewer, or raise the limit if that is meant\n");
  CHECK(planned(experiment("  limits: {targets: 3, share: 100%}\n"), 3).refusals.empty());
  CHECK(planned(experiment("  limits: {targets: 1, share: 34%}\n", "one"), 3).refusals.empty());
}

TEST_CASE("a victim that is hit by two steps counts once") {
  auto e = experiment("  limits: {targets: 2}\n");
  e.timeline.push_back(e.timeline[0]);
  CHECK(planned(e, 2).refusals.empty());
}

TEST_CASE("the window holds in its own time zone, for the whole length, and over midnight") {
  constexpr std::int64_t hour = 3600;
  const auto refusals = [](const std::string& window, std::int64_t now) {
    return joined(planned(experiment("  limits: {window: " + window + "}\n"), 1, now).refusals);
  };
  const std::string tokyo = "{days: mon-fri, hours: 10:00-16:00, timezone: Asia/Tokyo}";
  CHECK(refusals(tokyo, monday_noon_utc) == "it is Mon 2026-11-23 21:00 JST, limits.window allows mon-fri 10:00-16:00 Asia/Tokyo\n");
  CHECK(refusals(tokyo, monday_noon_utc - 8 * hour).empty());
  CHECK(refusals(tokyo, monday_noon_utc - 5 * hour - 30) ==
        "it would still inject faults at Mon 2026-11-23 16:00 JST, limits.window allows mon-fri 10:00-16:00 Asia/Tokyo\n");
  CHECK_FALSE(refusals(tokyo, monday_noon_utc - 8 * hour - 86400).empty());  // Sunday
  const std::string night = "{days: [mon, sat], hours: 22:00-06:00, timezone: UTC}";
  CHECK(refusals(night, monday_noon_utc + 11 * hour).empty());        // Monday 23:00
  CHECK(refusals(night, monday_noon_utc + 17 * hour).empty());        // Tuesday 05:00 belongs to Monday's night
  CHECK_FALSE(refusals(night, monday_noon_utc + 19 * hour).empty());  // Tuesday 07:00
  CHECK_FALSE(refusals(night, monday_noon_utc - 7 * hour).empty());   // Monday 05:00 would be Sunday's night
  // Berlin at the end of summer time: 2026-10-25 01:30 UTC is 02:30 CET, the second of that day.
  CHECK(refusals("{hours: 02:00-03:00, timezone: Europe/Berlin}", 1792891800).empty());
}

TEST_CASE("the worst case is a total outage from the first fault to the end of recovery") {
  const auto plan = planned(experiment(), 1);
  REQUIRE(plan.worst_case.size() == 1);
  // 90 s of 30 d at 99.9 %: 90 / 2592000 / 0.001
  CHECK(plan.worst_case[0].budget_share == doctest::Approx(0.0347222));
  CHECK(plan.worst_case[0].stop_at == doctest::Approx(0.02));
  CHECK(seconds(plan.worst_case[0].until_stop) == doctest::Approx(51.84));  // the SRE workbook's number for 14.4
  auto rising = experiment();                                               // 10 s steady at 10/s, 90 s at 90/s: a mean of 82/s
  rising.steady_for = 10s;
  rising.loads = {{.name = "l", .rate = {10}}};
  rising.slos[0].measures[0].load = "l";
  rising.loads[0].arrivals.stages = {{{10}, 10s}, {{90}, 0s}};
  const auto cost = planned(rising, 1).worst_case.at(0);
  CHECK(cost.budget_share == doctest::Approx(0.0347222 * 90 / 82).epsilon(0.001));
  CHECK(seconds(cost.until_stop) == doctest::Approx(51.84 * 82 / 90).epsilon(0.001));
  auto idle = experiment();
  idle.timeline.clear();
  CHECK(plan::make(idle, {}, monday_noon_utc, 1).worst_case.at(0).budget_share == 0);
}

TEST_CASE("what weakens the guard is a warning") {
  auto blind = experiment();
  blind.slos.clear();
  CHECK(joined(planned(blind, 1).warnings) == "no SLO watches this experiment: only failing checks, limits.duration and you can stop it\n");
  auto late = experiment();
  late.slos[0].objective = 0.9999;
  late.slos[0].measures[0].load.clear();
  late.slos[0].measures[0].source = spec::PrometheusSource{.url = "http://p", .bad = "b", .total = "t"};
  CHECK(joined(planned(late, 1).warnings).find("SLO 's': its data may be 17s old, in which a total outage spends 6.56%") == 0);
  late.slos[0].objective = 0.99;
  late.slos[0].measures[0].source = spec::DatadogSource{};
  CHECK(
      joined(planned(late, 1).warnings) ==
      "SLO 's': its data may be 2m40s old, in which a total outage spends 0.62% of the budget, not more than guard.budget (2%); datadog is "
      "fit to decide whether to start, and for the record, but not to stop in time: measure it with a load, metrics or accessLog as "
      "well\n");
  auto slices = experiment();
  slices.slos[0].method = spec::Method::timeslices;
  CHECK(joined(planned(slices, 1).warnings).empty());  // a load's budget is its own
  slices.slos[0].measures[0].load.clear();
  slices.slos[0].measures[0].source = spec::AccessLogSource{};
  CHECK(joined(planned(slices, 1).warnings).find("time slices") == std::string::npos);
  slices.slos[0].measures[0].source = spec::CommandSource{};
  CHECK(joined(planned(slices, 1).warnings) ==
        "SLO 's': command cannot be asked how many time slices of the past were bad; that counts as if nothing had been spent\n");
  slices.slos[0].measures[0].source = spec::NewrelicSource{};
  CHECK(joined(planned(slices, 1).warnings)
            .find("bad time slices of the past are known only as far back as newrelic counts in stretches of 1m") != std::string::npos);
  slices.slos[0].measures[0].source = spec::PrometheusSource{.url = "http://p", .bad = "b", .total = "t"};
  CHECK(joined(planned(slices, 1).warnings).find("time slices") == std::string::npos);
  auto anyone = experiment();
  anyone.loads = {{.name = "l", .rate = {10}, .tls = {.insecure = true}}};
  CHECK(joined(planned(anyone, 1).warnings) ==
        "load 'l' does not verify the server (tls.insecure): its measurements may be of another server\n");
  auto unused = experiment();
  unused.targets.push_back({.name = "spare", .selector = {"node", {}}});
  CHECK(joined(planned(unused, 1).warnings) == "target 'spare' is not used in the timeline\n");
}

TEST_CASE("two injections on one claim at one time are refused, one after the other is not") {
  auto e = experiment();
  e.timeline.push_back({.at = 59s, .length = 5s, .fault = "network.impair", .on = "wallets", .params = e.timeline[0].params});
  auto plan = planned(e, 1);
  for (auto& one : plan.injections) one.how = {.claims = {"netns:101/eth0/egress"}, .mechanism = "tap", .undo = "remove it"};
  auto after = plan;
  plan::check_claims("game-day", plan);
  CHECK(joined(plan.refusals) ==
        "network.impair on netns wallet-1 (0s to 1m) and network.impair on netns wallet-1 (59s to 1m4s) cannot be active at the same "
        "time: netns:101/eth0/egress is held by experiment 'game-day' (network.impair " +
            plan.injections[0].id + "); put them one after the other, or into one step\n");
  after.injections[1].at = 60s;
  plan::check_claims("game-day", after);
  CHECK(after.refusals.empty());
  plan.refusals.clear();
  plan.injections[1].agent = "another";  // a namespace of the same number on another machine
  plan::check_claims("game-day", plan);
  CHECK(plan.refusals.empty());
}

TEST_CASE("a fault on a network namespace and one on a cgroup in it are refused by the plan, in the agent's words") {
  auto e = experiment();
  e.timeline.push_back({.at = 2s, .length = 5s, .fault = "network.impair", .on = "wallets", .params = e.timeline[0].params});
  const auto whole = std::string("netns:101/eth0/egress");
  for (const bool cgroup_first : {false, true}) {
    auto plan = planned(e, 1);
    plan.injections[cgroup_first ? 1 : 0].how = {.claims = {"netns:101/eth0/ingress", whole}};
    plan.injections[cgroup_first ? 0 : 1].how = {.claims = {whole + "/system.slice"}};
    CHECK(plan::share_a_claim(plan.injections[0], plan.injections[1]));
    plan::check_claims("game-day", plan);
    REQUIRE(plan.refusals.size() == 1);
    const auto& first = plan.injections[0];
    const auto told =
        check_claims(first.how.claims, {.experiment = "game-day", .fault = first.fault, .id = first.id}, plan.injections[1].how.claims);
    REQUIRE_FALSE(told);
    CHECK(told.error().code == Code::claimed);
    CHECK_MESSAGE(plan.refusals[0].find(told.error().message) != std::string::npos, plan.refusals[0]);
    plan.injections[1].how.claims = {whole + "2"};  // another device's
    CHECK_FALSE(plan::share_a_claim(plan.injections[0], plan.injections[1]));
  }
}

TEST_CASE("what can't be undone is a warning before anything starts") {
  auto plan = planned(experiment(), 1);
  plan.injections[0].how = {.mechanism = "signal", .undo = "the process stays dead", .reversible = false};
  plan::check_claims("game-day", plan);
  CHECK(joined(plan.warnings) == "network.impair on netns wallet-1 (0s to 1m) cannot be reverted: the process stays dead\n");
}

TEST_CASE("the text tells victims, share, mechanism and why, undo and cost, in 100 columns") {
  auto plan = planned(experiment("  limits: {targets: 1}\n", "{percent: 50, seed: 7}"), 4);
  for (auto& one : plan.injections)
    one.how = {.claims = {"netns:" + std::to_string(one.victim.netns)},
               .mechanism = "tap",
               .because = "this kernel has no sch_netem, and TUN and BPF are there, which is all that the tap backend needs to hold frames",
               .undo = "remove the clsact filter on eth0"};
  plan.refusals.clear();
  plan::check_claims("game-day", plan);
  plan.refusals = {"2 victims would be hit, limits.targets allows 1: pick fewer"};
  const std::string text = plan::to_text(experiment("", "{percent: 50, seed: 7}"), plan, test::catalogue());
  CHECK(text ==
        "Plan of x\n"
        "  It holds.\n"
        "\n"
        "Victims\n"
        "  wallets      2 of 4 (50%), seed 7       netns name=wallet-*\n"
        "    * " +
            plan.injections[0].victim.label +
            "\n"
            "    * " +
            plan.injections[1].victim.label +
            "\n"
            "\n"
            "Timeline: 1m of faults, then up to 30s to recover\n"
            "  0s to 1m       network.impair     delay 200ms, loss 1%, ports [6379 80]\n"
            "    * " +
            plan.injections[0].victim.label +
            "\n"
            "      how:  tap, because this kernel has no sch_netem, and TUN and BPF are there, which is all that\n"
            "            the tap backend needs to hold frames\n"
            "      undo: remove the clsact filter on eth0\n"
            "    * " +
            plan.injections[1].victim.label +
            "\n"
            "      how:  tap, because this kernel has no sch_netem, and TUN and BPF are there, which is all that\n"
            "            the tap backend needs to hold frames\n"
            "      undo: remove the clsact filter on eth0\n"
            "\n"
            "Worst case: every request is bad from the first fault to the end of recovery\n"
            "  s            3.5% of the 30d budget, but the guard stops at 2%, after 52s of a total outage\n"
            "\n"
            "REFUSED, nothing would be started\n"
            "  - 2 victims would be hit, limits.targets allows 1: pick fewer\n");
  std::istringstream all(text);
  for (std::string line; std::getline(all, line);) CHECK(line.size() <= 100);
}

TEST_CASE("the JSON holds the same facts") {
  auto plan = planned(experiment("", "{count: 1, seed: 7}"), 3);
  plan.injections[0].how = {.claims = {"c"}, .mechanism = "bpf", .because = "why", .undo = "how", .reversible = true};
  const Json json = plan::to_json(plan);
  CHECK(json.at("groups").at(0).at("seed") == 7);
  CHECK(json.at("groups").at(0).at("found").size() == 3);
  CHECK(json.at("groups").at(0).at("share") == doctest::Approx(1.0 / 3));
  CHECK(json.at("injections").at(0).at("params").at("loss") == doctest::Approx(0.01));
  CHECK(json.at("injections").at(0).at("for") == 60);
  CHECK(json.at("injections").at(0).at("mechanism") == "bpf");
  CHECK(json.at("injections").at(0).at("victim").at("label") == plan.injections[0].victim.label);
  CHECK(json.at("worstCase").at(0).at("slo") == "s");
  CHECK(json.at("refusals").empty());
}
