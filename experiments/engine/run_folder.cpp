#include "experiments/engine/run_folder.hpp"

#include "experiments/report/report.hpp"
#include "injector/core/json.hpp"

#include <fcntl.h>

#include <array>
#include <ctime>
#include <fstream>

namespace arashi::engine {

namespace fs = std::filesystem;

namespace {

std::string stamp() {
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  ::gmtime_r(&now, &parts);
  std::array<char, 32> text{};
  std::strftime(text.data(), text.size(), "%Y%m%dT%H%M%SZ", &parts);
  return text.data();
}

Result<fs::path> make_folder(const fs::path& wish, const std::string& experiment) {
  std::error_code error;
  if (!wish.empty()) {
    fs::create_directories(wish, error);
    if (error) return fail(Blame::input, "make the run's folder '", wish.string(), "': ", error.message());
    if (!fs::is_empty(wish, error))
      return fail(Blame::input, "the run's folder '", wish.string(), "' is not empty; name another with --out");
    auto whole = fs::absolute(wish, error);
    if (error) return fail(Blame::system, "find the run's folder '", wish.string(), "': ", error.message());
    return whole;
  }
  const fs::path home = fs::absolute("arashi-runs", error);
  if (error)
    return fail(Blame::system, "make 'arashi-runs' for the run's folder: the current directory is gone: ", error.message(),
                "; name another place with --out");
  fs::create_directories(home, error);
  if (error)
    return fail(Blame::system, "make '", home.string(), "' for the run's folder: ", error.message(), "; name another place with --out");
  const std::string name = experiment + "-" + stamp();
  for (int n = 1; n < 1000; ++n) {
    const fs::path folder = home / (n == 1 ? name : name + "-" + std::to_string(n));
    if (fs::create_directory(folder, error)) return folder;
    if (error) return fail(Blame::system, "make the run's folder '", folder.string(), "': ", error.message());
  }
  return fail(Blame::system, "no name is free for a run's folder in '", home.string(), "'");
}

// Beside and renamed over, so that a reader never sees half of it.
Result<void> write_whole(const fs::path& path, const std::string& text) {
  const fs::path beside = path.string() + ".part";
  std::ofstream out(beside, std::ios::binary);
  out << text;
  out.close();
  if (!out) {
    auto failed = sys_fail("write '", path.string(), "'");
    std::error_code ignored;
    fs::remove(beside, ignored);
    return failed;
  }
  std::error_code error;
  fs::rename(beside, path, error);
  if (error) return fail(Blame::system, "write '", path.string(), "': ", error.message());
  return {};
}

Json sample_of(const guard::Input& input, const std::vector<std::string>& slos) {
  const auto& slice = input.slice;
  return {{"at", seconds(input.now)}, {"slo", slos.at(*input.slo)}, {"begin", seconds(slice.begin)},        {"end", seconds(slice.end)},
          {"total", slice.total},     {"bad", slice.bad},           {"state", guard::name_of(slice.state)}, {"problem", slice.problem}};
}

}  // namespace

Result<std::size_t> RunFolder::open(const char* name) {
  const fs::path path = path_ / name;
  Fd file(::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
  if (!file) return sys_fail("open '", path.string(), "'");
  return scribe_->add(std::move(file), path.string());
}

Result<RunFolder> RunFolder::make(const fs::path& wish, const spec::Experiment& experiment) {
  RunFolder folder;
  std::error_code none;
  folder.folder_made_ = wish.empty() || !fs::exists(wish, none);
  folder.path_ = TRY(make_folder(wish, experiment.name));
  for (const auto& slo : experiment.slos) folder.slos_.push_back(slo.name);
  folder.scribe_ = std::make_unique<Scribe>();
  TRY(write_whole(folder.path_ / "spec.yaml", experiment.text));
  folder.plan_ = TRY(folder.open("plan.json"));
  folder.events_ = TRY(folder.open("events.jsonl"));
  folder.samples_ = TRY(folder.open("samples.jsonl"));
  folder.guard_ = TRY(folder.open("guard.jsonl"));
  return folder;
}

void RunFolder::look(const run::Runner& runner, Duration /*now*/) {
  const auto& result = runner.result();
  const bool prepared = result.states.size() > 1 && result.states[1].first == run::State::checking;
  if (prepared && !prepared_) {
    prepared_ = true;
    scribe_->write(plan_, to_text(plan::to_json(result.plan), 2) + "\n");
    scribe_->write(guard_, to_text(Json{{"config", guard::to_json(*runner.config())}}) + "\n");
  }
  std::string events, samples, inputs;
  for (; events_done_ < result.events.size(); ++events_done_) {
    const auto& event = result.events[events_done_];
    events += to_text(Json{{"at", seconds(event.at)}, {"what", event.what}, {"detail", event.detail}}) + "\n";
  }
  for (const auto& input : runner.guard_inputs()) {
    inputs += to_text(guard::to_json(input)) + "\n";
    if (input.slo) samples += to_text(sample_of(input, slos_)) + "\n";
  }
  scribe_->write(events_, std::move(events));
  scribe_->write(samples_, std::move(samples));
  scribe_->write(guard_, std::move(inputs));
}

std::vector<std::string> RunFolder::keep_end(const run::RunResult& result) {
  std::vector<std::string> problems;
  const Json json = run::to_json(result);
  const auto keep = [&](const char* name, const std::string& text) {
    const auto written = write_whole(path_ / name, text);
    if (!written) problems.push_back(written.error().message);
  };
  keep("result.json", to_text(json, 2) + "\n");
  keep("report.html", report::html(json));
  keep("junit.xml", report::junit(json));
  return problems;
}

std::vector<std::string> RunFolder::finish(run::RunResult& result) {
  auto problems = scribe_->settle();
  std::error_code none;
  if (!prepared_) fs::remove(path_ / "plan.json", none);  // nobody knows it
  const auto doubt = [&] {
    if (problems.empty() || result.outcome != run::Outcome::held) return false;
    result.outcome = run::Outcome::inconclusive;
    result.reasons.insert(result.reasons.begin(), "the run's record is not whole: " + problems[0]);
    return true;
  };
  doubt();
  const auto at_the_end = keep_end(result);
  problems.insert(problems.end(), at_the_end.begin(), at_the_end.end());
  if (doubt()) keep_end(result);  // those that can be written say so too
  return problems;
}

void RunFolder::discard() {
  scribe_->settle();
  std::error_code none;
  for (const auto* name : {"spec.yaml", "plan.json", "events.jsonl", "samples.jsonl", "guard.jsonl"}) fs::remove(path_ / name, none);
  if (folder_made_) fs::remove(path_, none);
}

}  // namespace arashi::engine
