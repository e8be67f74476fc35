// Where the experiments under way on this machine have written down what they may still spend. One file for each run, locked by its runner
// for as long as it lives: the kernel lets go of the lock when the runner dies, and the next one takes the file away.
#pragma once

#include "experiments/guard/guard.hpp"
#include "experiments/spec/spec.hpp"
#include "injector/core/fd.hpp"

#include <filesystem>

namespace arashi::engine {

class BudgetLedger {
 public:
  // In `directory`, made if it is missing. Sets what others were promised in `config`, and refuses what then has nothing left; else the
  // promise stands until this object or its process ends.
  static Result<BudgetLedger> enter(const std::filesystem::path& directory, const std::string& run, const spec::Experiment& experiment,
                                    guard::Config& config);
  ~BudgetLedger();
  BudgetLedger(BudgetLedger&&) noexcept = default;
  BudgetLedger& operator=(BudgetLedger&&) = delete;
  BudgetLedger(const BudgetLedger&) = delete;

 private:
  BudgetLedger(std::filesystem::path path, Fd file) : path_(std::move(path)), file_(std::move(file)) {}
  std::filesystem::path path_;
  Fd file_;
};

}  // namespace arashi::engine
