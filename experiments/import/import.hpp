// SLOs as other tools write them (OpenSLO v1, Sloth, Pyrra) → what our guard needs: counts of bad and of all events, an objective, a
// window. What cannot be evaluated exactly is refused by name, with its place. Pure.
#pragma once

#include "experiments/spec/parse.hpp"

#include <optional>

namespace arashi::import {

struct ForeignSlo {
  std::string name;
  double objective = 0;  // 0.999
  Duration window = std::chrono::hours(24 * 30);
  std::optional<spec::Calendar> calendar;  // instead of it
  std::string bad, total;                  // counters that our Prometheus source reads
  std::string url;                         // of the Prometheus server, where the file says it
  spec::Method method = spec::Method::occurrences;
  Duration slice{};         // of the methods with time slices
  double slice_target = 0;  // timeslices
  spec::Where where;
};

// As the OpenSLO SDK checks a file, or as its README describes it and many files are written.
enum class Strictness { strict, lenient };

struct Imported {
  std::string format;  // "OpenSLO v1", "Sloth", "Pyrra"; empty: none of them, or it cannot be read, which `problems` then tells
  std::vector<ForeignSlo> slos;
  std::vector<spec::Problem> problems;
  std::vector<spec::Problem> notes;  // what was left out or understood generously
};

// A file may hold several documents, separated by "---".
Imported import(std::string_view text, Strictness strictness = Strictness::lenient);

// `from` of a spec's SLO: the only one in the text, or the one of that name. `file` is for messages.
Result<spec::ImportedSlo> pick(std::string_view text, const std::string& file, const std::string& name);

// In the form of our own spec: the `slos` of an experiment. `url` stands in where the file names no server.
std::string to_spec(const std::vector<ForeignSlo>& slos, const std::string& url);

// PromQL of rates, as Sloth's templates and OpenSLO have it, to counters: sum(rate(x{…}[{{.window}}])) → sum(x{…}). Sums and differences
// of such are exact, for differencing is linear. Everything else is refused. `counters`: plain counters are taken as they are.
Result<std::string> counters_of(std::string_view promql, bool counters);

}  // namespace arashi::import
