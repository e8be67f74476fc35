// A run is a folder: spec.yaml, plan.json, events.jsonl, samples.jsonl, guard.jsonl (config and inputs: replaying them gives the same
// verdicts), and at the end result.json, report.html, junit.xml. A disk that is full stops none of the run; it is said at the end.
#pragma once

#include "experiments/engine/observer.hpp"
#include "experiments/engine/scribe.hpp"

#include <filesystem>
#include <string>
#include <vector>

namespace arashi::engine {

class RunFolder : public Observer {
 public:
  // `wish` empty: arashi-runs/NAME-STAMP here. A folder that already holds something is refused.
  static Result<RunFolder> make(const std::filesystem::path& wish, const spec::Experiment& experiment, const plan::Plan& plan,
                                const guard::Config& config);

  // Appends what came since the last call; waits for nothing.
  void look(const run::Runner& runner, Duration now) override;
  // result.json, report.html, junit.xml, each whole or not at all; then what could not be written, in the whole run.
  std::vector<std::string> finish(const Json& result);
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  RunFolder() = default;
  Result<std::size_t> open(const char* name);
  std::filesystem::path path_;
  std::vector<std::string> slos_;
  std::unique_ptr<Scribe> scribe_;
  std::size_t events_ = 0, samples_ = 0, guard_ = 0;  // the scribe's files
  std::size_t events_done_ = 0, inputs_done_ = 0;
};

}  // namespace arashi::engine
