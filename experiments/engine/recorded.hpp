// What was recorded of an experiment's SLOs, from a file, standard input or their Prometheus servers.
#pragma once

#include "experiments/backtest/record.hpp"
#include "experiments/spec/spec.hpp"

#include <functional>
#include <string>

namespace arashi::engine {

struct RecordOptions {
  std::string from;  // JSON Lines: a file, or "-" for standard input; empty: the SLOs' Prometheus servers
  Duration last{};   // how much, from the newest backwards; 0: all of a file
  Duration until{};  // Prometheus: the end, since 1970; 0: now
  Duration step{};   // 0: learned from the file; of Prometheus the scrape interval
};

bool by_prometheus(const spec::Measure& measure);

// `progress` is told how far it is, often.
using Progress = std::function<void(const std::string&)>;
Result<backtest::Record> read_record(const spec::Experiment& experiment, const RecordOptions& options, const Progress& progress);

}  // namespace arashi::engine
