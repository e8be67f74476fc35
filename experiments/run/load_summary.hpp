// What a load did, second by second: the load generator fills it in, result and report read it. Here, as these are pure.
#pragma once

#include "injector/core/units.hpp"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace arashi::load {

// One second of what was sent and what came back, by the intended start time of the requests; slow by the first threshold.
struct Second {
  Duration begin{};  // since epoch
  std::uint64_t intended = 0, started = 0, good = 0, failed = 0, slow = 0;
  std::uint64_t not_sent = 0;  // or held up, by the runner itself: neither good nor bad
  Duration p50{}, p90{}, p99{}, most{};
};

struct Latencies {  // of all answers and timeouts, from their intended times
  Duration p50{}, p90{}, p99{}, p999{}, most{};
};

// The same requests by one latency threshold.
struct ByLatency {
  Duration latency{};  // a request that takes longer is bad; 0: only failures and timeouts are
  std::uint64_t total = 0, bad = 0;
  std::optional<Duration> first_bad, last_bad;  // since epoch; when it was found bad
};

struct Summary {
  std::string name;
  double rate_intended = 0, rate_achieved = 0;    // per second: what was due, and what was started
  std::uint64_t total = 0, bad = 0;               // by the first threshold, as the next line
  std::optional<Duration> first_bad, last_bad;    // since epoch; when it was found bad
  std::vector<ByLatency> thresholds;              // the strictest first
  std::map<std::string, std::uint64_t> failures;  // why, and how many answers failed so
  std::map<std::string, std::uint64_t> not_sent;  // why the runner did not send so many in time; they count as unknown
  Latencies latencies;
  std::vector<Second> seconds;
};

}  // namespace arashi::load
