#include "tests/system/demo_platform.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <doctest/doctest.h>
#include <test_paths.hpp>

#include <fstream>
#include <sstream>

namespace arashi::testing {

namespace fs = std::filesystem;

namespace {

const std::vector<std::string> pod_names{"fabric", "gateway", "wallet-1", "wallet-2", "wallet-3", "ledger", "resolver", "monitor"};

std::string text_of(const fs::path& file) {
  std::ifstream stream(file);
  std::ostringstream text;
  text << stream.rdbuf();
  return text.str();
}

fs::path the_only_folder(const fs::path& parent) {
  std::error_code error;
  for (fs::directory_iterator entry(parent, error), end; !error && entry != end; entry.increment(error))
    if (entry->is_directory()) return entry->path();
  return {};
}

}  // namespace

std::string example(const std::string& file) { return std::string(SOURCE_DIR "/examples/") + file; }

Ran demo(const std::string& verb) {
  return run({"env", "ARASHI_WALLET=" BIN_DIR "/wallet", example("demo/demo.sh"), verb}, std::chrono::seconds(90));
}

Platform::Platform() : turn_(::open(demo_lock, O_CREAT | O_RDWR | O_CLOEXEC, 0600)) {
  REQUIRE(::flock(turn_.get(), LOCK_EX) == 0);
  note(Made::demo, example("demo/demo.sh"));
  const Ran started = demo("start");
  INFO(started.output);
  REQUIRE(started.exit_code == 0);
}

Platform::~Platform() { demo("stop"); }

Snapshot Platform::snapshot(const std::vector<std::string>& ids) {
  Extent scope;
  for (const auto& name : pod_names)
    if (fs::exists(pod(name))) scope.netns.push_back(pod(name).filename());
  scope.ids = ids.empty() ? std::vector<std::string>{"none"} : ids;
  Snapshot taken = take(scope);
  for (const char* what : {"qdisc", "filter"}) taken["host's end"].push_back(run({"tc", what, "show", "dev", "arashi-demo"}).output);
  return taken;
}

fs::path pod(const std::string& name) { return "/run/netns/arashi-demo-" + name; }

std::vector<std::int32_t> pids_of_pod(const std::string& name) {
  for (const char* root : {"/sys/fs/cgroup/unified", "/sys/fs/cgroup"}) {
    std::ifstream file(fs::path(root) / "arashi-demo" / name / "cgroup.procs");
    if (file) return {std::istream_iterator<std::int32_t>(file), {}};
  }
  return {};
}

namespace {

std::optional<double> time_of(std::vector<std::string> request) {
  std::vector<std::string> argv{"curl",     "--silent",  "--fail",      "--noproxy",     "*",         "--max-time", "3",
                                "--output", "/dev/null", "--write-out", "%{time_total}", "--request", "POST"};
  argv.insert(argv.end(), request.begin(), request.end());
  const Ran asked = run(std::move(argv));
  if (asked.exit_code != 0) return std::nullopt;
  return std::strtod(asked.output.c_str(), nullptr);
}

}  // namespace

std::optional<double> time_of_transfer(const std::string& where) { return time_of({where}); }

std::optional<double> time_at_wallet(const std::string& url) {
  static std::atomic<int> number{0};
  return time_of({"--header", "Idempotency-Key: test-" + std::to_string(::getpid()) + "-" + std::to_string(++number), url});
}

Run::Run(std::vector<std::string> arguments)
    : child_(spawn({.argv =
                        [&] {
                          std::vector<std::string> argv{BIN_DIR "/arashi", "run", "--run-dir", run_directory()};
                          argv.insert(argv.end(), arguments.begin(), arguments.end());
                          return argv;
                        }(),
                    .env = {{"ARASHI_TEST_RUN", marker.substr(marker.find('=') + 1)}},
                    .directory = home_.path(),
                    .errors_into_output = true})),
      reader_([this] { taken_ = read_all(child_, std::chrono::seconds(110)); }) {}

int Run::wait(Duration limit) {
  const auto code = child_.wait(boot_now() + limit);
  if (!code) child_.end();
  reader_.join();
  output = taken_;
  folder = the_only_folder(home_.path() / "arashi-runs");
  if (!folder.empty() && fs::exists(folder / "result.json")) result = Json::parse(text_of(folder / "result.json"), nullptr, false);
  MESSAGE(output);
  return code.value_or(-1);
}

std::vector<std::string> Run::ids() {
  std::vector<std::string> found;
  if (result.is_object())
    for (const auto& fault : result["faults"]) found.push_back(fault["id"]);
  return found;
}

std::vector<std::string> Run::steps() {
  std::vector<std::string> found;
  if (result.is_object())
    for (const auto& fault : result["faults"]) found.push_back(fault["step"]);
  return found;
}

}  // namespace arashi::testing
