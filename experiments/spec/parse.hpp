// YAML or JSON text → Experiment, with every problem found, not only the first.
#pragma once

#include "agent/protocol/protocol.hpp"
#include "experiments/spec/spec.hpp"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace arashi::spec {

struct Problem {
  Where where;
  std::string path;     // "spec.timeline[1].with.delay"
  std::string message;  // why, and a suggestion
  bool operator<(const Problem& other) const;
};

struct Parsed {
  Experiment experiment;
  std::vector<Problem> problems;  // sorted by place; unless empty, of experiment only steps without one mean something
};

inline constexpr std::size_t largest_spec = std::size_t{1} << 20U;  // bytes

// An SLO out of a file of another tool.
struct ImportedSlo {
  double objective = 0;
  Duration window{};
  std::optional<Calendar> calendar;
  std::string bad, total, url;  // of Prometheus; the URL may be empty
  Method method = Method::occurrences;
  Duration slice{};         // of the methods with time slices
  double slice_target = 0;  // timeslices
};
using ReadSlo = std::function<Result<ImportedSlo>(const std::string& from)>;

// A file that the spec names, relative to it.
using ReadText = std::function<Result<std::string>(const std::string& file)>;

// `faults` is what the agents offer: timeline[].fault and .with are checked against it. No I/O.
// `read_slo` answers slos.NAME.from: FILE or FILE#SLO, relative to the spec; `read_text` the files of a load.
// Refuses: over 1 MiB, over 10,000 nodes after alias expansion (alias bombs), over 64 levels.
Parsed parse(std::string_view text, const std::vector<protocol::FaultText>& faults, const ReadSlo& read_slo = {},
             const ReadText& read_text = {});

using arashi::to_text;  // the units' ones are not hidden by this:
// "FILE:LINE:COLUMN: PATH: MESSAGE"
std::string to_text(const std::string& file, const Problem& problem);

// Reads a spec file with the same limits; directory, missing or too large → error.
Result<std::string> read_spec(const std::string& file);
inline constexpr std::size_t largest_load_file = std::size_t{16} << 20U;  // bytes
// The same of a file that a load names.
Result<std::string> read_load_file(const std::string& file);

}  // namespace arashi::spec
