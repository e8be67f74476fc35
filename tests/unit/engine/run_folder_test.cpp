#include "experiments/engine/run_folder.hpp"
#include "experiments/engine/run_name.hpp"
#include "injector/core/id.hpp"
#include "injector/core/json.hpp"
#include "tests/unit/run/world.hpp"

#include <fcntl.h>
#include <sys/resource.h>

#include <array>
#include <csignal>
#include <fstream>
#include <sstream>
#include <thread>

namespace arashi::engine {

namespace {

namespace fs = std::filesystem;

struct Folder {
  fs::path path;
  Folder() {
    std::string name = "/tmp/arashi-output-XXXXXX";
    path = ::mkdtemp(name.data());
  }
  ~Folder() { fs::remove_all(path); }
};

std::string text_of(const fs::path& path) {
  std::ifstream in(path);
  std::ostringstream out;
  out << in.rdbuf();
  return out.str();
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

run::World a_world() { return {run::an_experiment(), {run::planned("aaaaaaaa", {}, std::chrono::seconds(10))}}; }

// No file of this process may grow over this many bytes: what a full disk looks like to write().
class SmallFiles {
 public:
  explicit SmallFiles(rlim_t bytes) {
    ::getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit small{bytes, before_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &small);
    handler_ = std::signal(SIGXFSZ, SIG_IGN);
  }
  ~SmallFiles() {
    ::setrlimit(RLIMIT_FSIZE, &before_);
    std::signal(SIGXFSZ, handler_);
  }
  SmallFiles(const SmallFiles&) = delete;
  SmallFiles& operator=(const SmallFiles&) = delete;

 private:
  rlimit before_{};
  void (*handler_)(int) = SIG_DFL;
};

}  // namespace

TEST_CASE("a run's name is a label of the experiment and an id, and is found by either") {
  const std::string long_name(63, 'a');
  for (const std::string& experiment : {std::string("checkout"), long_name, std::string(53, 'a') + "-b" + std::string(8, 'c')}) {
    const std::string run = new_run_name(experiment);
    CHECK(is_name(run));
    CHECK(is_run_of(run, run));
    CHECK(is_run_of(run, experiment));
  }
  CHECK_FALSE(is_run_of("checkout-k3v9x0qa", "check"));
  CHECK_FALSE(is_run_of("checkout-two-k3v9x0qa", "checkout"));
  CHECK_FALSE(is_run_of("checkout-k3v9x0qa", "checkout-aaaaaaaa"));
}

TEST_CASE("a run's folder holds what it takes to replay every verdict") {
  const Folder home;
  auto world = a_world();
  world.begin();
  world.experiment.text = "kind: Experiment\n";
  auto folder = RunFolder::make(home.path / "run", world.experiment);
  REQUIRE(folder);
  world.until(run::State::observing);
  folder->look(*world.runner, world.now);
  std::size_t told = world.runner->guard_inputs().size();
  world.runner->forget_inputs();
  world.finish();
  folder->look(*world.runner, world.now);
  told += world.runner->guard_inputs().size();
  auto result = world.result();
  CHECK(folder->finish(result).empty());
  CHECK(result.outcome == run::Outcome::held);
  CHECK(text_of(folder->path() / "spec.yaml") == "kind: Experiment\n");
  const auto lines = lines_of(text_of(folder->path() / "guard.jsonl"));
  const auto config = guard::config_from((*parse_json(lines.at(0)))["config"]);
  REQUIRE(config);
  std::vector<guard::Input> inputs;
  for (std::size_t i = 1; i < lines.size(); ++i) inputs.push_back(*guard::input_from(*parse_json(lines[i])));
  CHECK(inputs.size() == told);
  const auto verdicts = guard::replay(*config, inputs);
  REQUIRE(verdicts);
  CHECK(verdicts->back().slos[0].total == world.result().slos[0].total);
  CHECK(lines_of(text_of(folder->path() / "events.jsonl")).size() == world.result().events.size());
  CHECK(parse_json(text_of(folder->path() / "result.json")));
  CHECK(fs::file_size(folder->path() / "report.html") > 0);
  CHECK(fs::file_size(folder->path() / "junit.xml") > 0);
}

TEST_CASE("a folder that holds something already is refused") {
  const Folder home;
  std::ofstream(home.path / "mine") << "x";
  const auto folder = RunFolder::make(home.path, run::an_experiment());
  REQUIRE_FALSE(folder);
  CHECK(folder.error().message.find("not empty") != std::string::npos);
}

TEST_CASE("a run that could not be prepared leaves no folder, and one stopped meanwhile no plan") {
  const Folder home;
  auto folder = RunFolder::make(home.path / "run", run::an_experiment());
  REQUIRE(folder);
  folder->discard();
  CHECK(fs::is_empty(home.path));
  fs::create_directory(home.path / "mine");
  auto named = RunFolder::make(home.path / "mine", run::an_experiment());
  REQUIRE(named);
  named->discard();
  CHECK(fs::is_empty(home.path / "mine"));  // it was there before
  auto world = a_world();
  world.prepares = false;
  auto stopped = RunFolder::make(home.path / "stopped", world.experiment);
  REQUIRE(stopped);
  world.give(run::StopAsked{"^C"});
  stopped->end(*world.runner, world.now);
  auto result = world.result();
  CHECK(stopped->finish(result).empty());
  CHECK(result.outcome == run::Outcome::interrupted);
  CHECK_FALSE(fs::exists(stopped->path() / "plan.json"));
  CHECK(text_of(stopped->path() / "result.json").find("interrupted by ^C") != std::string::npos);
}

TEST_CASE("a full disk stops nothing, but what held is then inconclusive, and nothing is left half-written") {
  const Folder home;
  auto world = a_world();
  world.begin();
  auto folder = RunFolder::make(home.path / "run", world.experiment);
  REQUIRE(folder);
  std::vector<std::string> problems;
  run::RunResult result;
  {
    const SmallFiles full(600);
    result = world.finish();
    folder->look(*world.runner, world.now);
    CHECK(result.outcome == run::Outcome::held);
    problems = folder->finish(result);
  }
  CHECK(result.outcome == run::Outcome::inconclusive);
  CHECK(run::says(result, "the run's record is not whole: write "));
  REQUIRE_FALSE(problems.empty());
  CHECK(problems[0].find("File too large") != std::string::npos);
  CHECK_FALSE(fs::exists(folder->path() / "result.json"));
  CHECK_FALSE(fs::exists(folder->path() / "result.json.part"));
}

TEST_CASE("a folder that is gone at the end makes what held inconclusive, and leaves another verdict as it is") {
  for (const std::uint64_t bad : {0, 100}) {
    const Folder home;
    auto world = a_world();
    world.bad_when_faulted = bad;
    world.begin();
    auto folder = RunFolder::make(home.path / "run", world.experiment);
    REQUIRE(folder);
    auto result = world.finish();
    folder->look(*world.runner, world.now);
    fs::remove_all(home.path / "run");
    CHECK_FALSE(folder->finish(result).empty());
    CHECK(result.outcome == (bad == 0 ? run::Outcome::inconclusive : run::Outcome::refuted));
    CHECK_FALSE(fs::exists(folder->path() / "report.html"));
  }
}

TEST_CASE("a reader that does not read never holds up who writes") {
  std::array<int, 2> ends{};
  REQUIRE(::pipe2(ends.data(), O_CLOEXEC) == 0);
  Fd reader(ends[0]);
  Scribe scribe;
  const auto file = scribe.add(Fd(ends[1]), "pipe");
  const Duration before = boot_now();
  for (int i = 0; i < 100; ++i) scribe.write(file, std::string(10'000, 'x'));
  CHECK_FALSE(scribe.offer(file, "a frame"));  // something waits already
  CHECK(boot_now() - before < std::chrono::seconds(10));
  std::thread late([&] {
    std::array<char, 65536> buffer;
    for (std::size_t left = 1'000'000; left > 0;) left -= static_cast<std::size_t>(::read(reader.get(), buffer.data(), buffer.size()));
  });
  CHECK(scribe.settle().empty());
  late.join();
}

}  // namespace arashi::engine
