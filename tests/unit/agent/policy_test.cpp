#include "agent/policy.hpp"

#include <doctest/doctest.h>

#include <chrono>

using namespace arashi;
using namespace std::chrono_literals;

namespace {

Subject pause(std::vector<std::string> cgroups, std::vector<std::string> processes = {"wallet"}) {
  return {.fault = "process.pause",
          .duration = 10s,
          .victim = {.label = "victim"},
          .processes = std::move(processes),
          .cgroups = std::move(cgroups)};
}

std::string refusal(const Policy& policy, const Subject& subject, std::size_t live = 0) {
  const auto checked = check_policy(policy, subject, live);
  if (checked) return "";
  CHECK(checked.error().blame == Blame::refused);
  return checked.error().message;
}

std::string complaint(const std::string& text) {
  const auto policy = parse_policy(text, "agent.yaml");
  REQUIRE_FALSE(policy.has_value());
  CHECK(policy.error().blame == Blame::input);
  return policy.error().message;
}

}  // namespace

TEST_CASE("a glob matches as a shell's does") {
  CHECK(matches_glob("*", ""));
  CHECK(matches_glob("systemd*", "systemd-journald"));
  CHECK(matches_glob("a*b*c", "aXbYbZc"));
  CHECK_FALSE(matches_glob("a*b*c", "aXbYb"));
  CHECK(matches_glob("w?llet", "wallet"));
  CHECK_FALSE(matches_glob("w?llet", "wllet"));
  CHECK_FALSE(matches_glob("", "x"));
  CHECK_FALSE(matches_glob("sshd", "sshd2"));
}

TEST_CASE("an ordinary victim is allowed by the default policy") {
  CHECK(refusal({}, pause({"system.slice/wallet.service"})) == "");
  CHECK(refusal({}, pause({})) == "");
}

TEST_CASE("what keeps a node alive is protected by default, also when it is inside the victim") {
  CHECK(refusal({}, pause({"system.slice/ssh.service"})).find("protectedUnits has 'ssh.service'") != std::string::npos);
  CHECK(refusal({}, pause({"system.slice", "system.slice/kubelet.service"})).find("kubelet.service") != std::string::npos);
  CHECK(refusal({}, pause({"system.slice/containerd.service/inner"})) != "");
  CHECK(refusal({}, pause({}, {"wallet", "sshd"})).find("protectedProcesses has 'sshd'") != std::string::npos);
  CHECK(refusal({}, pause({}, {"systemd"})) != "");
}

TEST_CASE("the agent is never a target") {
  auto subject = pause({});
  subject.holds_agent = true;
  CHECK(refusal({}, subject).find("the agent itself") != std::string::npos);
}

TEST_CASE("init is never a target, whatever it is called and whatever the policy lists") {
  auto subject = pause({}, {"tini"});
  subject.victim.pid = 1;
  CHECK(refusal({.protected_processes = {}}, subject).find("process 1") != std::string::npos);
}

TEST_CASE("faults are allowed and denied by name, and denied wins") {
  CHECK(refusal({.allowed_faults = {"network.*"}}, pause({})).find("allowedFaults") != std::string::npos);
  CHECK(refusal({.allowed_faults = {"process.*"}}, pause({})) == "");
  CHECK(refusal({.denied_faults = {"process.*"}}, pause({})).find("deniedFaults has 'process.*'") != std::string::npos);
}

TEST_CASE("a protected cgroup protects what is in it and not its neighbours") {
  const Policy policy{.protected_cgroups = {"pay/gold"}};
  CHECK(refusal(policy, pause({"pay/gold"})) != "");
  CHECK(refusal(policy, pause({"pay/gold/one"})) != "");
  CHECK(refusal(policy, pause({"pay/golden"})) == "");
  CHECK(refusal(policy, pause({"pay"})) == "");
}

TEST_CASE("a protected network namespace is not touched") {
  auto subject = pause({});
  subject.namespace_name = "pay-ledger";
  CHECK(refusal({.protected_namespaces = {"pay-*"}}, subject) != "");
  CHECK(refusal({.protected_namespaces = {"other"}}, subject) == "");
}

TEST_CASE("durations and the number of injections have an end") {
  auto subject = pause({});
  subject.duration = 2h;
  CHECK(refusal({}, subject).find("longestDuration is 1h") != std::string::npos);
  CHECK(refusal({.most_injections = 2}, pause({}), 1) == "");
  CHECK(refusal({.most_injections = 2}, pause({}), 2).find("mostInjections is 2") != std::string::npos);
  subject.duration = 0s;
  CHECK(check_policy({}, subject, 0).error().blame == Blame::input);
}

TEST_CASE("a policy file is YAML or JSON, and what it leaves out keeps its default") {
  const auto yaml = parse_policy("deniedFaults: [process.kill]\nlongestLease: 10s\nmostInjections: 3\n", "agent.yaml");
  REQUIRE_MESSAGE(yaml.has_value(), yaml.error().message);
  CHECK(yaml->denied_faults == std::vector<std::string>{"process.kill"});
  CHECK(yaml->longest_lease == 10s);
  CHECK(yaml->most_injections == 3);
  CHECK(yaml->protected_processes == Policy{}.protected_processes);
  const auto json = parse_policy(R"({"protectedUnits": ["a.service"], "longestDuration": "5m"})", "agent.json");
  REQUIRE(json.has_value());
  CHECK(json->protected_units == std::vector<std::string>{"a.service"});
  CHECK(json->longest_duration == 5min);
  CHECK(parse_policy("", "agent.yaml").has_value());
}

TEST_CASE("what is wrong in a policy file is told with line and column") {
  CHECK(complaint("mostInjections: 3\nlongestLeese: 10s\n")
            .find("agent.yaml:2:1: unknown key 'longestLeese'; did you mean 'longestLease'?") == 0);
  CHECK(complaint("longestLease: 10\n").find("agent.yaml:1:15: longestLease: ") == 0);
  CHECK(complaint("longestLease: 0s\n").find("agent.yaml:1:15: ") == 0);
  CHECK(complaint("mostInjections: -1\n").find("whole number") != std::string::npos);
  CHECK(complaint("mostInjections: [1]\n").find("agent.yaml:1:17: ") == 0);
  CHECK(complaint("deniedFaults: process.kill\n").find("must be a list") != std::string::npos);
  CHECK(complaint("deniedFaults: [process.kill, proces.pause]\n") ==
        "agent.yaml:1:30: deniedFaults: 'proces.pause' is no fault of this agent; did you mean 'process.pause'?");
  CHECK(complaint("deniedFaults: [\"proces.*\"]\n").find("agent.yaml:1:16: deniedFaults: 'proces.*' is no fault of this agent") == 0);
  CHECK(complaint("deniedFaults: [process.kill]\ndeniedFaults: []\n").find("agent.yaml:2:1: 'deniedFaults' is a duplicate key") == 0);
  CHECK(complaint("mostInjections: 3\n---\nmostInjections: 4\n").find("a second document") != std::string::npos);
  CHECK(complaint("- a\n").find("must be an object") != std::string::npos);
  CHECK(complaint("a: [\n").find("agent.yaml:") == 0);
  CHECK(complaint(std::string((1U << 20U) + 1, 'x')).find("at most") != std::string::npos);
}

TEST_CASE("all that is wrong in a policy file is told at once") {
  CHECK(complaint("longestLease: 10\nprotectedUnits: [[a], b.service, [c]]\nmostInjection: 3\n") ==
        "agent.yaml:1:15: longestLease: '10' is not a duration: it has no unit (write it as 250us, 20ms, 1.5s, 5m, 2h or 30d)\n"
        "agent.yaml:2:18: protectedUnits: must be a list of texts\n"
        "agent.yaml:2:34: protectedUnits: must be a list of texts\n"
        "agent.yaml:3:1: unknown key 'mostInjection'; did you mean 'mostInjections'?");
}
