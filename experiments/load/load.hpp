// The open-loop load generator: requests start at their intended times whatever the answers do; latency counts from the intended time;
// a request is bad the moment it is too old (pending age), not when it ends.
#pragma once

#include "experiments/run/load_summary.hpp"
#include "experiments/sli/sli.hpp"
#include "experiments/spec/spec.hpp"

#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace arashi::load {

// Log-linear latency histogram: fixed memory, relative error <= 1/64, 1 us to 1 h.
class Histogram {
 public:
  Histogram();
  void add(Duration latency);
  [[nodiscard]] Duration quantile(double q) const;  // 0 when empty
  [[nodiscard]] std::uint64_t count() const { return count_; }
  void merge(const Histogram& other);

 private:
  std::vector<std::uint64_t> buckets_;
  std::uint64_t count_ = 0;
};

// Runs on one thread with epoll (libcurl multi) until stopped; `epoch` is CLOCK_BOOTTIME at which the run began.
// A slow request is one over `latency` (0: only failures and timeouts are bad).
class Generator : public sli::Source {
 public:
  static Result<std::unique_ptr<Generator>> start(const spec::Load& load, Duration latency, Duration epoch);
  // Ends the requests and the thread; idempotent. The seconds not yet drained stay to be drained.
  virtual void stop() = 0;
  virtual Summary summary() const = 0;
};

}  // namespace arashi::load
