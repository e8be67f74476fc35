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
  static Result<RunFolder> make(const std::filesystem::path& wish, const spec::Experiment& experiment);

  // Appends what came since the last call; waits for nothing. The plan and the guard's terms as soon as they are known.
  void look(const run::Runner& runner, Duration now) override;
  // result.json, report.html, junit.xml, each whole or not at all; then what could not be written, in the whole run. A run of which
  // something is missing proves nothing: one that held is inconclusive, and says why.
  std::vector<std::string> finish(run::RunResult& result);
  // Takes away what was made: of a run that could not be prepared there is nothing to keep.
  void discard();
  [[nodiscard]] const std::filesystem::path& path() const { return path_; }

 private:
  RunFolder() = default;
  Result<std::size_t> open(const char* name);
  std::vector<std::string> keep_end(const run::RunResult& result);
  std::filesystem::path path_;
  std::vector<std::string> slos_;
  std::unique_ptr<Scribe> scribe_;
  std::size_t events_ = 0, samples_ = 0, guard_ = 0, plan_ = 0;  // the scribe's files
  std::size_t events_done_ = 0;
  bool prepared_ = false, folder_made_ = false;
};

}  // namespace arashi::engine
