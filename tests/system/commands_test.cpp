// The commands that need no agent and no demo, as a newcomer types them.
#include "tests/support/child.hpp"
#include "tests/support/namespaces.hpp"

#include <doctest/doctest.h>
#include <test_paths.hpp>

#include <fstream>
#include <sstream>
#include <string>

namespace arashi::testing {

namespace {

struct Typed {
  std::vector<std::string> words;
  int exit_code;
  std::string says;
};

bool contains(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("each command says what it does, and a mistake what to do") {
  const Typed table[] = {
      {{"pln"}, 2, "did you mean 'plan'?"},
      {{}, 2, "arashi: A subcommand is required"},
      {{"plan", "--foo", "x.yaml"}, 2, "Try: arashi plan --help"},
      {{"--version"}, 0, "arashi "},
      {{"run", "/nonexistent.yaml"}, 2, "/nonexistent.yaml"},
      {{"faults"}, 0, "network.impair"},
      {{"faults", "network.impair"}, 0, "jitter"},
      {{"faults", "network.impare"}, 2, "did you mean 'network.impair'?"},
      {{"check", SOURCE_DIR "/examples/slos/transfers.openslo.yaml"}, 0, "ok: OpenSLO, 1 SLO: transfers"},
      {{"import", SOURCE_DIR "/examples/slos/transfers.openslo.yaml", "--strict"}, 0, "url: 'http://10.87.0.40:9090'"},
      {{"import", SOURCE_DIR "/examples/held.yaml"}, 2, "is not OpenSLO v1, Sloth or Pyrra"},
      {{"schema"}, 0, "\"timeline\""},
      {{"schema", "result"}, 0, "\"outcome\""},
      {{"doctor"}, 0, "clsact"},
      {{"completion", "bash"}, 0, "complete -o filenames -F _arashi arashi"},
      {{"report", "/nonexistent"}, 2, "result.json"},
      {{"status", "--agents", "unix:/nonexistent.sock"}, 3, "nothing runs here"},
      {{"halt", "--agents", "unix:/nonexistent.sock"}, 6, "nothing runs here"},
      {{"status", "--agents", "10.0.0.1:7340"}, 2, "--pki"},
      {{"status", "--agents", "unix:/one.sock,unix:/one.sock"}, 2, "twice"},
      {{"doctor", "--agents", "unix:/one.sock,unix:/one.sock"}, 2, "twice"},
      {{"plan", SOURCE_DIR "/examples/held.yaml", "--agents", "unix:/one.sock,unix:/one.sock"}, 2, "twice"},
  };
  for (const auto& typed : table) {
    std::vector<std::string> argv{BIN_DIR "/arashi"};
    argv.insert(argv.end(), typed.words.begin(), typed.words.end());
    const Ran ran = run(argv);
    INFO((typed.words.empty() ? "" : typed.words[0]) << ": " << ran.output);
    CHECK(ran.exit_code == typed.exit_code);
    CHECK(contains(ran.output, typed.says));
  }
  for (const char* command :
       {"run", "plan", "check", "backtest", "import", "halt", "status", "faults", "doctor", "report", "schema", "pki", "completion"}) {
    const Ran ran = run({BIN_DIR "/arashi", command, "--help"});
    INFO(command << ": " << ran.output);
    CHECK(ran.exit_code == 0);
    CHECK(contains(ran.output, "Example"));
  }
}

TEST_CASE(
    "what parameters cannot mean together is told by check with its place, for every step, and by plan and run before an agent starts") {
  struct Asked {
    std::string fault, with, says;
  };
  const Asked table[] = {
      {"network.impair", "{delay: 10ms, distribution: normal}", "distribution needs a jitter"},
      {"network.impair", "{loss: 1%, reorder: 5%}", "reorder needs a delay"},
      {"network.impair", "{}", "nothing is asked for"},
      {"network.impair", "{loss: 1%, dscp: [af99]}", "dscp 'af99'"},
      {"network.partition", "{established: keep, protocol: udp, peers: [10.0.0.7]}", "is for connections, which udp has none of"},
      {"network.reset", "{existing: 0%}", "nothing is asked for"},
      {"network.down", "{downFor: 1s, device: eth0}", "give every too"},
      {"dns.answer", "{delay: 0s}", "nothing is asked for"},
      {"process.kill", "{count: 3}", "give every too"},
      {"command.run", R"({command: [""], undo: ["true"]})", "'command' names no program"},
      {"ports.exhaust", "{share: 50%, free: 3}", "share or free, and not both"},
      {"conntrack.exhaust", "{share: 50%, free: 3}", "share or free, and not both"},
  };
  const Directory directory;
  const auto file = (directory.path() / "spec.yaml").string();
  std::string spec =
      "apiVersion: arashi.dev/v1\nkind: Experiment\nmetadata: {name: not_a_name}\nspec:\n  targets:\n    shop: {process: {name: none}}\n  "
      "timeline:\n";
  constexpr int first_line = 8;
  int at = 99;  // not in the order of time
  for (const auto& one : table)
    spec += "    - {at: " + std::to_string(at--) + "s, for: 1s, on: shop, fault: " + one.fault + ", with: " + one.with + "}\n";
  std::ofstream(file) << spec;
  const Ran checked = run({BIN_DIR "/arashi", "check", file});
  INFO(checked.output);
  CHECK(checked.exit_code == 2);
  std::istringstream lines(checked.output);
  std::string elsewhere;  // a mistake that hides no other
  std::getline(lines, elsewhere);
  CHECK(contains(elsewhere, "not_a_name"));
  for (std::size_t i = 0; i < std::size(table); ++i) {
    std::string line;
    std::getline(lines, line);
    const auto column = std::string("    - {at: 99s, for: 1s, on: shop, fault: , with: ").size() + table[i].fault.size() + 1;
    CAPTURE(line);
    CHECK(line.starts_with(file + ":" + std::to_string(first_line + i) + ":" + std::to_string(column) + ": spec.timeline[" +
                           std::to_string(i) + "].with: "));
    CHECK(contains(line, table[i].says));
  }
  for (const char* command : {"plan", "run"}) {
    const Ran ran = run({BIN_DIR "/arashi", command, file});
    CHECK(ran.exit_code == 2);
    CHECK(ran.output == checked.output);
  }
}

TEST_CASE("an experiment without a timeline starts no agent") {
  const Directory directory;
  const std::string head = "apiVersion: arashi.dev/v1\nkind: Experiment\nmetadata: {name: quiet}\nspec:\n";
  const auto& folder = directory.path();
  std::ofstream(folder / "idle.yaml") << head << "  timeline: []\n";
  const Ran idle = run({BIN_DIR "/arashi", "run", folder / "idle.yaml", "--run-dir", folder / "agent", "--out", folder / "idle"});
  INFO(idle.output);
  CHECK(idle.exit_code == 0);
  CHECK(std::filesystem::exists(folder / "idle" / "report.html"));
  CHECK_FALSE(std::filesystem::exists(folder / "agent" / "agent.log"));  // which every local agent begins with
}

}  // namespace arashi::testing
