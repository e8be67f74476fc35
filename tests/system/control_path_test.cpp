// The control path outlives a fault that loses everything on the node's own device: runner and agent in namespaces of the test's own, on a
// wire between them, speaking TLS. What the fault does is seen by ping in a third process; what the runner does, by its own exit and
// result.
#include "injector/core/json.hpp"
#include "tests/support/namespaces.hpp"

#include <doctest/doctest.h>
#include <test_paths.hpp>

#include <fstream>
#include <optional>

namespace arashi::testing {

namespace fs = std::filesystem;

namespace {

constexpr const char* arashi = BIN_DIR "/arashi";
constexpr const char* agent_binary = BIN_DIR "/arashi-agent";

// The agent's node is the right namespace, the runner's machine the left one.
class TwoMachines {
 public:
  TwoMachines() {
    const auto pki = (directory_.path() / "pki").string();
    must(run({arashi, "pki", "init", pki}));
    must(run({arashi, "pki", "agent", pki, "node", "--address", Pair::right_v4}));
    must(run({arashi, "pki", "runner", pki, "runner"}));
    agent_.emplace(pair_.right.spawn({agent_binary, "--run-dir", (directory_.path() / "agent").string(), "--socket",
                                      (directory_.path() / "agent.sock").string(), "--listen", std::string(Pair::right_v4) + ":0", "--ca",
                                      pki + "/node/ca.pem", "--certificate", pki + "/node/cert.pem", "--key", pki + "/node/key.pem"}));
    const auto ready = read_line(*agent_, std::chrono::seconds(20)).value_or("");
    REQUIRE_MESSAGE(ready.starts_with("ready "), ready);
    where_ = ready.substr(ready.rfind(' ') + 1);
  }

  // As an operator would call it on the runner's machine.
  [[nodiscard]] std::vector<std::string> command(std::vector<std::string> argv) const {
    argv.insert(argv.begin(), arashi);
    argv.insert(argv.end(), {"--agents", where_, "--pki", (directory_.path() / "pki/runner").string()});
    return argv;
  }
  [[nodiscard]] fs::path spec(const std::string& length, const std::string& with) const {
    auto file = directory_.path() / "spec.yaml";
    std::ofstream(file)
        << "apiVersion: arashi.dev/v1\nkind: Experiment\nmetadata: {name: cut-the-node}\nspec:\n  targets:\n    it: {node: {}}\n"
           "  checks:\n    ok: {command: [\"true\"], when: [before]}\n  steadyState: {for: 0s}\n  timeline:\n    - {at: 0s, for: "
        << length << ", on: it, fault: network.impair, with: " << with << "}\n  recovery: {within: 5s}\n  limits: {duration: 1m}\n";
    return file;
  }
  [[nodiscard]] fs::path folder(const std::string& name) const { return directory_.path() / name; }
  [[nodiscard]] bool reaches() const { return pair_.left.run({"ping", "-q", "-c", "1", "-W", "1", Pair::right_v4}).exit_code == 0; }
  [[nodiscard]] bool reaches_v6() const { return pair_.left.run({"ping", "-q", "-c", "1", "-W", "1", Pair::right_v6}).exit_code == 0; }
  [[nodiscard]] Ran left(std::vector<std::string> argv) const { return pair_.left.run(std::move(argv), std::chrono::seconds(30)); }
  [[nodiscard]] Child start(std::vector<std::string> argv) const { return pair_.left.spawn(std::move(argv)); }
  [[nodiscard]] const std::string& where() const { return where_; }

 private:
  static void must(const Ran& ran) { REQUIRE_MESSAGE(ran.exit_code == 0, ran.output); }
  Directory directory_;
  Pair pair_{"cp"};
  std::optional<Child> agent_;
  std::string where_;
};

const std::string everything = "{loss: 100%, direction: both, device: eth0}";

Json result_in(const fs::path& folder) {
  std::ifstream file(folder / "result.json");
  return Json::parse(file, nullptr, false);
}

}  // namespace

TEST_CASE("the runner renews, asks and reverts through a fault that loses everything on the node's device") {
  const TwoMachines machines;
  REQUIRE(machines.reaches());
  const auto folder = machines.folder("out");
  // Longer than the lease, which lives only by renewals.
  auto run = machines.start(machines.command({"run", machines.spec("12s", everything).string(), "--quiet", "--out", folder.string()}));
  REQUIRE(eventually([&] { return !machines.reaches(); }, std::chrono::seconds(15)));
  const auto cut_at = boot_now();
  CHECK_FALSE(machines.reaches_v6());
  const auto status = machines.left(machines.command({"status"}));
  CHECK_MESSAGE(status.exit_code == 0, status.output);
  CHECK(status.output.find("matching packets") != std::string::npos);
  REQUIRE(eventually([&] { return machines.reaches(); }, std::chrono::seconds(20)));
  CHECK(boot_now() - cut_at > std::chrono::seconds(8));  // longer than a lease of 5 s, and the ping that sees its end late: it was renewed
  CHECK(run.wait(boot_now() + std::chrono::seconds(20)).has_value());
  const auto result = result_in(folder);
  REQUIRE(result.is_object());
  INFO(result.dump(1));
  REQUIRE(result.at("faults").size() == 1);
  CHECK(result.at("faults")[0].at("step") == "reverted");
  CHECK(result.at("faults")[0].at("problem") == "");
}

TEST_CASE("a halt gets through a fault that loses everything, and so does the run's end") {
  const TwoMachines machines;
  auto run = machines.start(
      machines.command({"run", machines.spec("30s", everything).string(), "--quiet", "--out", machines.folder("out").string()}));
  REQUIRE(eventually([&] { return !machines.reaches(); }, std::chrono::seconds(15)));
  const auto halt = machines.left(machines.command({"halt"}));
  CHECK_MESSAGE(halt.exit_code == 0, halt.output);
  CHECK(machines.reaches());
  const auto code = run.wait(boot_now() + std::chrono::seconds(20));
  REQUIRE(code.has_value());
  CHECK(*code == 4);
}

TEST_CASE("the runner's and the agent's own addresses, and the agent's port alone, are refused by the plan") {
  const TwoMachines machines;
  const auto refusal = [&](const std::string& with) {
    return machines.left(machines.command({"plan", machines.spec("5s", with).string()}));
  };
  const auto runner = refusal(std::string("{loss: 100%, peers: [") + Pair::left_v4 + "]}");
  CHECK(runner.exit_code == 3);
  CHECK_MESSAGE(runner.output.find("is the runner itself") != std::string::npos, runner.output);
  const auto agent = refusal(std::string("{loss: 100%, peers: [") + Pair::right_v4 + "]}");
  CHECK(agent.exit_code == 3);
  CHECK_MESSAGE(agent.output.find("is the agent itself") != std::string::npos, agent.output);
  const auto port = machines.where().substr(machines.where().rfind(':') + 1);
  const auto own = refusal("{loss: 100%, protocol: tcp, localPorts: [" + port + "]}");
  CHECK(own.exit_code == 3);
  CHECK_MESSAGE(own.output.find("is the agent's own") != std::string::npos, own.output);
}

}  // namespace arashi::testing
