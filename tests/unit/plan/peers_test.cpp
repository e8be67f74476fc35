#include "experiments/plan/peers.hpp"

#include "experiments/plan/text.hpp"
#include "experiments/spec/parse.hpp"
#include "injector/core/json.hpp"
#include "tests/unit/spec/catalogue.hpp"

#include <doctest/doctest.h>

#include <set>

using namespace arashi;

namespace {

spec::Parsed parsed(const std::string& peers, const std::string& limits = "") {
  auto faults = test::catalogue();
  for (auto& param : faults.front().params)
    if (param.name == "peers") param.type = "peers";
  return spec::parse(
      "apiVersion: arashi.dev/v1\nkind: Experiment\nmetadata: {name: x}\nspec:\n"
      "  hypothesis: It holds.\n"
      "  targets: {ledger: {netns: {name: ledger}}, wallets: {netns: {name: 'wallet-*'}, pick: {count: 2, seed: 7}}}\n"
      "  slos: {s: {objective: 99.9%, load: l, latency: 300ms}}\n"
      "  load: {l: {url: 'http://x/', rate: 100/s}}\n"
      "  timeline:\n"
      "    - {at: 0s, for: 60s, fault: network.impair, on: ledger, with: {delay: 200ms, peers: " +
          peers + "}}\n" + limits,
      faults);
}

Victim victim(const std::string& name, std::uint64_t netns, std::vector<std::string> addresses) {
  return {.kind = "netns", .scope = Scope::netns, .label = "netns " + name, .netns = netns, .addresses = std::move(addresses)};
}

using Groups = std::map<std::string, plan::Group>;

Groups some_groups() {
  Groups groups;
  groups["ledger"] = {.target = "ledger", .agent = "local", .found = {victim("ledger", 1, {"10.0.0.1"})}};
  groups["wallets"] = {.target = "wallets", .agent = "local", .found = {}};
  for (std::uint64_t i = 2; i <= 5; ++i)
    groups["wallets"].found.push_back(
        victim("wallet-" + std::to_string(i), i, {"10.0.0." + std::to_string(i), "fd77::" + std::to_string(i)}));
  return groups;
}

plan::Plan planned(const std::string& peers, const Groups& groups, const std::string& limits = "") {
  const auto spec = parsed(peers, limits);
  for (const auto& problem : spec.problems) FAIL_CHECK(spec::to_text("spec", problem));
  return plan::make(spec.experiment, groups, 1795435200, 42);
}

Json peers_of(const plan::Plan& plan) {
  REQUIRE(plan.injections.size() == 1);
  return plan.injections.front().params.at("peers");
}

}  // namespace

TEST_CASE("another target of the experiment stands for the addresses of its victims, those that were picked") {
  const auto plan = planned("[10.9.0.0/16, {target: wallets}]", some_groups(), "  limits: {targets: 1, share: 100%}\n");
  for (const auto& refusal : plan.refusals) FAIL_CHECK(refusal);
  CHECK(plan.warnings.empty());  // wallets is used, as peers
  const auto peers = peers_of(plan);
  REQUIRE(peers.size() == 5);  // the block, and two victims with two addresses each
  CHECK(peers[0] == "10.9.0.0/16");
  std::set<std::string> expected;
  for (const auto& group : plan.groups)
    for (const auto& one : group.picked)
      if (group.target == "wallets") expected.insert(one.addresses.begin(), one.addresses.end());
  CHECK(expected.size() == 4);
  for (std::size_t i = 1; i < peers.size(); ++i) CHECK(expected.contains(peers[i].get<std::string>()));
  CHECK_FALSE(plan.groups.back().hit);
}

TEST_CASE("a group of peers is no victim: a share of it may be below what limits allow to be hit") {
  const auto plan = planned("{target: wallets}", some_groups(), "  limits: {share: 40%}\n");
  REQUIRE(plan.refusals.size() == 1);  // the ledger itself, all of its group; the wallets, two of four, are none
  CHECK(plan.refusals.front().find("ledger") != std::string::npos);
}

TEST_CASE("within a group each is cut off from the others, not from itself") {
  auto groups = some_groups();
  groups["ledger"].found.push_back(victim("ledger-2", 9, {"10.0.0.9"}));
  const auto plan = planned("{target: ledger}", groups);
  REQUIRE(plan.injections.size() == 2);
  CHECK(plan.injections[0].params.at("peers") == Json::array({"10.0.0.9"}));
  CHECK(plan.injections[1].params.at("peers") == Json::array({"10.0.0.1"}));
  const auto alone = planned("{target: ledger}", some_groups());
  REQUIRE(alone.refusals.size() == 1);
  CHECK(alone.refusals.front().find("nobody but itself") != std::string::npos);
}

TEST_CASE("the same namespace number on another machine is another namespace") {
  auto groups = some_groups();
  groups["wallets"].found = {victim("wallet-1", 1, {"10.0.0.2"}), victim("wallet-2", 1, {"10.0.0.3"})};
  groups["wallets"].found_on = {"a", "b"};
  groups["ledger"].found_on = {"a"};
  CHECK(peers_of(planned("{target: wallets}", groups)) == Json::array({"10.0.0.3"}));
}

TEST_CASE("a group that has no address, or nobody in it, is refused by the plan") {
  auto groups = some_groups();
  for (auto& one : groups["wallets"].found) one.addresses.clear();
  auto plan = planned("{target: wallets}", groups);
  REQUIRE(plan.refusals.size() == 1);
  CHECK(plan.refusals.front().find("has no address to be reached by") != std::string::npos);
  CHECK(plan.injections.empty());
  groups["wallets"].found.clear();
  plan = planned("{target: wallets}", groups);
  REQUIRE(plan.refusals.size() == 2);
  CHECK(plan.refusals[1].find("nothing was found for it") != std::string::npos);
}

TEST_CASE("a peer group that is not declared is an error of the spec, with its place") {
  const auto spec = parsed("[{target: walets}]");
  REQUIRE(spec.problems.size() == 1);
  const auto text = spec::to_text("spec", spec.problems.front());
  CAPTURE(text);
  CHECK(text.find("spec:10:") == 0);
  CHECK(text.find("spec.timeline[0].with.peers: there is no target 'walets'; did you mean 'wallets'?") != std::string::npos);
}
