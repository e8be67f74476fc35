// What a load did, second by second: the load generator fills it in, result and report read it. Here, as these are pure.
#pragma once

#include "injector/core/units.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace arashi::load {

// One second of what was sent and what came back, by the intended start time of the requests.
struct Second {
  Duration begin{};  // since epoch
  std::uint64_t intended = 0, started = 0, good = 0, failed = 0, slow = 0;
  Duration p50{}, p90{}, p99{}, most{};
};

struct Summary {
  std::string name;
  double rate_intended = 0, rate_achieved = 0;  // per second
  std::uint64_t total = 0, bad = 0;
  std::optional<Duration> first_bad, last_bad;  // since epoch; when it was found bad
  std::vector<Second> seconds;
};

}  // namespace arashi::load
