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

// Runs on threads of its own, each with epoll and libcurl's multi interface, until stopped; `epoch` is CLOCK_BOOTTIME at which the run
// began. By each latency a request that takes longer is bad (0: only failures and timeouts are).
class Generator : public sli::Source {
 public:
  static Result<std::unique_ptr<Generator>> start(const spec::Load& load, const std::vector<Duration>& latencies, Duration epoch);
  // Ends the requests and the threads; idempotent. The seconds not yet drained stay to be drained.
  virtual void stop() = 0;
  // The seconds closed since the last call, by this latency.
  virtual std::vector<guard::Slice> drain(Duration latency) = 0;
  std::vector<guard::Slice> drain() override = 0;  // by the first latency
  virtual Summary summary() const = 0;
};

}  // namespace arashi::load
