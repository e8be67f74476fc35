// The injector with its journals on this machine, as the operations see it.
#pragma once

#include "agent/operations.hpp"
#include "agent/options.hpp"
#include "injector/host/worker.hpp"
#include "injector/network/classifier_stock.hpp"

#include <memory>

namespace arashi {

class Machine : public Faults {
 public:
  // Opens both journals; Blame::refused with the pid of the agent that has them open. Takes options.copy_fd over.
  static Result<std::unique_ptr<Machine>> open(const Options& options, std::unique_ptr<Workers> workers);

  // Why the journals can't be used, so that a recovery goes by the supervisor's copy alone; "" where they can.
  [[nodiscard]] const std::string& journals_problem() const { return journals_problem_; }
  Injector& injector() { return *injector_; }
  [[nodiscard]] const Host& host() const override { return injector_->host(); }
  Result<std::vector<Victim>> resolve(const Selector& selector) override;
  Result<Subject> look_at(std::string_view fault, const Victim& victim, Duration duration) override;
  Result<PreparedRecord> prepare(const std::string& fault, const Request& request) override { return injector_->prepare(fault, request); }
  Result<Injection> inject(const std::string& fault, const Request& request) override;
  void load_ahead() { classifiers_->fill(); }  // what the next injection takes; returns at once
  std::vector<Reverted> revert(std::string_view experiment, std::string_view id) override { return injector_->revert(experiment, id); }
  std::vector<Injection> status() override { return injector_->status(); }
  [[nodiscard]] std::size_t live() const override { return injector_->live(); }
  [[nodiscard]] std::size_t live_of(std::string_view experiment) const override { return injector_->live(experiment); }
  std::vector<Capability> capabilities() override;

 private:
  Machine() = default;
  std::unique_ptr<Workers> workers_;
  std::unique_ptr<ClassifierStock> classifiers_;
  std::unique_ptr<Injector> injector_;
  std::string journals_problem_;
};

Host host_of(const Options& options);
Result<Policy> load_policy(const Options& options);

}  // namespace arashi
