// The commands that need no agent and no demo, as a newcomer types them.
#include "tests/support/child.hpp"

#include <doctest/doctest.h>
#include <test_paths.hpp>

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

}  // namespace arashi::testing
