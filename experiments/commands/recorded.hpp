// What was recorded of an experiment's SLOs, from a file, standard input or their Prometheus servers.
#pragma once

#include "experiments/backtest/record.hpp"
#include "experiments/spec/spec.hpp"

#include <string>

namespace arashi::commands {

struct RecordOptions {
  std::string from;  // JSON Lines: a file, or "-" for standard input; empty: the SLOs' Prometheus servers
  Duration last{};   // how much, from the newest backwards; 0: all of a file
  Duration until{};  // Prometheus: the end, since 1970; 0: now
  Duration step{};   // 0: learned from the file; of Prometheus the scrape interval
};

bool by_prometheus(const spec::Measure& measure);

Result<backtest::Record> read_record(const spec::Experiment& experiment, const RecordOptions& options);

// One line on a terminal that is drawn over itself; nothing elsewhere.
class Progress {
 public:
  Progress();
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  void show(const std::string& text);

 private:
  bool terminal_;
  bool shown_ = false;
  Duration last_{};
};

}  // namespace arashi::commands
