// A spec file on the command line: read, parsed, its problems as lines.
#pragma once

#include "agent/protocol/protocol.hpp"
#include "experiments/spec/parse.hpp"
#include "experiments/spec/spec.hpp"

#include <optional>
#include <string>
#include <vector>

namespace arashi::engine {

struct SpecFile {
  std::string name;             // as given
  spec::Experiment experiment;  // with its directory; meaningless with problems
  std::string unreadable;       // why the file could not be read
  std::vector<spec::Problem> problems;
  [[nodiscard]] bool good() const { return unreadable.empty() && problems.empty(); }
};

SpecFile load_spec(const std::string& file, const std::vector<protocol::FaultText>& faults);
// By the faults of arashi-agent here, which is asked only if there is a timeline.
Result<SpecFile> load_local_spec(const std::string& file);
// "FILE:LINE:COLUMN: PATH: MESSAGE", one a line; or why the file could not be read.
std::string problem_lines(const SpecFile& file);
// What arashi-agent beside this program or in PATH can inject.
Result<std::vector<protocol::FaultText>> local_catalogue();

}  // namespace arashi::engine
