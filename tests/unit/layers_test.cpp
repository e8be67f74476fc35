// Who may include whom (the table of the design), which third-party doors are in one place only, and who may print.
#include <doctest/doctest.h>
#include <test_paths.hpp>

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <optional>
#include <regex>
#include <string>
#include <string_view>
#include <vector>

namespace {

namespace fs = std::filesystem;
using Names = std::vector<std::string_view>;

// A folder's own files and those of the folders named here. "injector" is the files right there, "injector/" all below as well.
struct Layer {
  std::string_view folder;
  Names may_include;
  std::string_view rule;
};

Names operator+(Names left, const Names& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

const Names pure{"experiments/spec",   "experiments/spec/document", "experiments/spec/load", "experiments/spec/sources",
                 "experiments/plan",   "experiments/guard",         "experiments/run",       "experiments/report",
                 "experiments/import", "experiments/backtest"};
const Names below_experiments{"injector/core", "agent/protocol"};
const Names below_faults{"injector/network", "injector/host", "injector/core"};

const Names world{"experiments",
                  "experiments/sli",
                  "experiments/sli/prometheus",
                  "experiments/sli/metrics",
                  "experiments/sli/logs",
                  "experiments/sli/hosted",
                  "experiments/load",
                  "experiments/fleet",
                  "experiments/kubernetes",
                  "agent/http"};

constexpr std::string_view pure_rule = "a pure part includes agent/protocol, injector/core and the other pure parts only";
constexpr std::string_view world_rule = "it includes the pure parts, what stands beside it, agent/protocol, agent/http and injector/core";

const std::vector<Layer>& layers() {
  static const std::vector<Layer> table{
      {"injector/core", {"injector/core"}, "core includes nothing of ours"},
      {"injector/host", {"injector/host", "injector/core"}, "host includes core only"},
      {"injector/network", {"injector/network", "injector/host", "injector/core"}, "network includes host and core only"},
      {"injector/faults", Names{"injector"} + below_faults, "faults include network, host and core, and never each other"},
      {"injector/resolvers", Names{"injector"} + below_faults, "resolvers include host and core, and never each other"},
      {"injector", Names{"injector"} + below_faults, "the injector knows faults by the generated table only"},
      {"agent/protocol", {"agent/protocol", "injector/core"}, "the protocol includes core only"},
      {"agent/http", {"agent/http", "injector/core"}, "serving HTTP includes core only"},
      {"agent/workers", Names{"agent/workers", "injector", "injector/faults"} + below_faults,
       "workers include the injector, and of a fault its record"},
      {"agent", Names{"agent/", "injector"} + below_faults, "the agent includes itself and the injector"},
      {"experiments/engine", pure + world + below_experiments + Names{"experiments/engine"},
       "the engine includes the world, the pure parts, the protocol and core; it has no command line and no terminal"},
      {"experiments/commands", Names{"experiments/"} + below_experiments + Names{"agent/http"},
       "commands include experiments and the protocol"},
  };
  static const std::vector<Layer> all = [] {
    auto full = table;
    for (const auto folder : pure) full.push_back({folder, pure + below_experiments, pure_rule});
    for (const auto folder : world)
      if (folder.starts_with("experiments")) full.push_back({folder, pure + world + below_experiments, world_rule});
    return full;
  }();
  return all;
}

struct Only {
  std::string_view header;  // how its name begins
  Names files;              // or folders with a slash behind
  std::string_view rule;
};

const std::vector<Only>& only_there() {
  static const std::vector<Only> table{
      {"boost/beast", {"agent/http/"}, "Beast is included in agent/http only: it costs half a minute of compiling"},
      {"boost/process",
       {"injector/host/command.cpp", "experiments/fleet/child.cpp"},
       "child processes are started in one file per program"},
      {"nlohmann/json.hpp", {"injector/core/json.hpp"}, "include \"injector/core/json.hpp\", which instantiates the class once"},
      {"CLI/", {"agent/main.cpp", "experiments/main.cpp", "experiments/commands/"}, "command lines are read by main and commands"},
  };
  return table;
}

// Children, sockets and files are the world's; one pure part opens the one file that it is about.
const Names opens_files{"experiments/spec/document/file.cpp"};
// Signals and terminals are the command line's; a server carries out the same run.
constexpr std::array<std::string_view, 5> not_in_engine{"csignal", "signal.h", "sys/signalfd.h", "sys/ioctl.h", "termios.h"};
constexpr std::array<std::string_view, 8> not_in_pure{"thread", "unistd.h", "sys/", "netinet/", "curl/", "boost/", "fstream", "poll.h"};

const Names may_print{"agent/main.cpp",     "agent/supervisor.cpp", "agent/injector_process.cpp",
                      "agent/recovery.cpp", "experiments/main.cpp", "experiments/commands/"};

std::string folder_of(std::string_view file) { return fs::path(file).parent_path().string(); }

bool is_in(std::string_view folder, const Names& names) {
  return std::any_of(names.begin(), names.end(), [folder](std::string_view name) {
    return name.ends_with('/') ? (std::string(folder) + "/").starts_with(name) : folder == name;
  });
}

bool is_one_of(std::string_view file, const Names& names) {
  return std::any_of(names.begin(), names.end(),
                     [file](std::string_view name) { return name.ends_with('/') ? file.starts_with(name) : file == name; });
}

// What is wrong with this include, if anything.
std::optional<std::string_view> broken_rule(std::string_view file, std::string_view included, bool is_quoted) {
  for (const auto& only : only_there())
    if (included.starts_with(only.header) && !is_one_of(file, only.files)) return only.rule;
  const auto folder = folder_of(file);
  if (!is_quoted) {
    if (folder == "experiments/engine" && std::ranges::find(not_in_engine, included) != not_in_engine.end())
      return "the engine has no signal and no terminal";
    const bool worldly =
        std::any_of(not_in_pure.begin(), not_in_pure.end(), [included](std::string_view name) { return included.starts_with(name); });
    return worldly && is_in(folder, pure) && !is_one_of(file, opens_files)
               ? std::optional<std::string_view>("a pure part has no kernel, file, socket or thread")
               : std::nullopt;
  }
  const auto to = folder_of(included);
  if (file == "experiments/main.cpp" && to == "experiments/commands") return std::nullopt;
  if (folder == "injector/faults" && fs::path(included) == fs::path(file).replace_extension("hpp")) return std::nullopt;  // its own record
  if (to.empty()) return std::nullopt;  // generated, such as "impair.skel.h"
  for (const auto& layer : layers())
    if (layer.folder == folder) return is_in(to, layer.may_include) ? std::nullopt : std::optional(layer.rule);
  return "this folder is not in the table of layers: add it there";
}

bool prints(const std::string& code) {
  static const std::regex printing(R"((^|[^\w])(std::(cout|cerr|clog)\b|(std::)?(printf|fprintf|vprintf|puts|fputs|perror|syslog)\s*\())");
  return std::regex_search(code, printing);
}

std::string without_comment(const std::string& line) { return line.substr(0, line.find("//")); }

std::vector<std::string> problems_of(const std::string& file, std::istream& text) {
  static const std::regex include(R"re(^\s*#\s*include\s*(["<])([^">]+)[">])re");
  std::vector<std::string> problems;
  std::string line;
  for (int number = 1; std::getline(text, line); ++number) {
    const auto where = file + ":" + std::to_string(number) + ": ";
    std::smatch found;
    if (std::regex_search(line, found, include)) {
      const auto rule = broken_rule(file, found[2].str(), found[1] == "\"");
      if (rule) problems.push_back(where + "includes " + found[2].str() + ", but " + std::string(*rule));
    } else if (prints(without_comment(line)) && !is_one_of(file, may_print)) {
      problems.push_back(where + "prints or logs, but only main, commands and the agent's edges do: " + line);
    }
  }
  return problems;
}

std::vector<std::string> problems_in(const std::string& file, const std::string& text) {
  std::istringstream stream(text);
  return problems_of(file, stream);
}

}  // namespace

TEST_CASE("every include keeps to the table of layers, and only the edges print") {
  const fs::path root = SOURCE_DIR;
  int files = 0;
  for (const auto* top : {"injector", "agent", "experiments"})
    for (const auto& entry : fs::recursive_directory_iterator(root / top)) {
      const auto extension = entry.path().extension();
      if (extension != ".hpp" && extension != ".cpp" && extension != ".h" && extension != ".c") continue;
      ++files;
      std::ifstream text(entry.path());
      for (const auto& problem : problems_of(fs::relative(entry.path(), root).string(), text)) FAIL_CHECK(problem);
    }
  CHECK(files > 60);
}

TEST_CASE("a broken layer is told with file, line, include and rule") {
  const auto problems = problems_in("injector/core/units.cpp", "// units\n#include \"injector/host/netns.hpp\"\n");
  REQUIRE(problems.size() == 1);
  CHECK(problems[0] == "injector/core/units.cpp:2: includes injector/host/netns.hpp, but core includes nothing of ours");
}

TEST_CASE("each rule of the table finds what breaks it and lets pass what does not") {
  struct Case {
    std::string file, line;
    bool allowed;
  };
  for (const auto& each : std::vector<Case>{
           {"injector/core/units.cpp", "#include \"injector/core/result.hpp\"", true},
           {"injector/host/qdisc.cpp", "#include \"injector/fault.hpp\"", false},
           {"injector/host/qdisc.cpp", "#include \"injector/network/traffic.hpp\"", false},
           {"injector/network/traffic.cpp", "#include \"injector/host/netns.hpp\"", true},
           {"injector/network/traffic.cpp", "#include \"injector/fault.hpp\"", false},
           {"injector/network/bpf.cpp", "#include \"impair.skel.h\"", true},
           {"injector/faults/a.cpp", "#include \"injector/faults/b.hpp\"", false},
           {"injector/faults/a.cpp", "#include \"injector/faults/a.hpp\"", true},
           {"injector/injector.cpp", "#include \"injector/faults/a.hpp\"", false},
           {"agent/workers/a_worker.cpp", "#include \"injector/faults/a.hpp\"", true},
           {"injector/faults/a.cpp", "#include \"injector/fault.hpp\"", true},
           {"injector/injector.cpp", "#include \"agent/lease.hpp\"", false},
           {"agent/protocol/protocol.cpp", "#include \"injector/fault.hpp\"", false},
           {"agent/http/server.cpp", "#include \"agent/lease.hpp\"", false},
           {"agent/routes.cpp", "#include \"agent/http/server.hpp\"", true},
           {"agent/routes.cpp", "#include \"experiments/spec/spec.hpp\"", false},
           {"experiments/guard/guard.cpp", "#include \"experiments/sli/sli.hpp\"", false},
           {"experiments/guard/guard.cpp", "#include <thread>", false},
           {"experiments/guard/guard.cpp", "#include <vector>", true},
           {"experiments/sli/sli.cpp", "#include \"experiments/guard/guard.hpp\"", true},
           {"experiments/sli/sli.cpp", "#include \"experiments/commands/run.hpp\"", false},
           {"experiments/fleet/agents.cpp", "#include \"injector/host/command.hpp\"", false},
           {"experiments/sli/sli.cpp", "#include \"experiments/engine/hands.hpp\"", false},
           {"experiments/engine/hands.cpp", "#include \"experiments/fleet/fleet.hpp\"", true},
           {"experiments/engine/run_loop.cpp", "#include \"experiments/commands/terminal.hpp\"", false},
           {"experiments/engine/run_loop.cpp", "#include <sys/signalfd.h>", false},
           {"experiments/engine/run_loop.cpp", "#include <csignal>", false},
           {"experiments/engine/run_loop.cpp", "  print(std::cout);", false},
           {"experiments/commands/terminal.cpp", "#include <sys/signalfd.h>", true},
           {"experiments/commands/run.cpp", "#include \"experiments/engine/run_loop.hpp\"", true},
           {"experiments/commands/run.cpp", "#include \"experiments/fleet/fleet.hpp\"", true},
           {"experiments/commands/run.cpp", "#include \"injector/injector.hpp\"", false},
           {"experiments/new/thing.cpp", "#include \"injector/core/result.hpp\"", false},
           {"agent/lease.cpp", "#include <boost/beast/core.hpp>", false},
           {"agent/http/server.cpp", "#include <boost/beast/core.hpp>", true},
           {"injector/host/netns.cpp", "#include <boost/process.hpp>", false},
           {"injector/host/command.cpp", "#include <boost/process.hpp>", true},
           {"agent/policy.cpp", "#include <nlohmann/json.hpp>", false},
           {"agent/policy.cpp", "  std::cerr << text;", false},
           {"agent/policy.cpp", "  // std::cerr << text;", true},
           {"agent/policy.cpp", "  snprintf(text, 4, \"x\");", true},
           {"agent/policy.cpp", "  printf(\"x\");", false},
           {"agent/policy.cpp", "  std::fputs(\"x\", stderr);", false},
           {"agent/main.cpp", "  std::cout << text;", true},
           {"experiments/commands/plan.cpp", "  std::fputs(\"x\", stderr);", true},
           {"experiments/run/runner.cpp", "  return guard_inputs();", true},
       }) {
    INFO(each.file, ": ", each.line);
    CHECK(problems_in(each.file, each.line).empty() == each.allowed);
  }
}
