// When each request is due: the arrivals of a load, one after the other. Pure: the same load gives the same times.
#pragma once

#include "experiments/spec/load/arrivals.hpp"

#include <cstdint>
#include <optional>

namespace arashi::load {

class Schedule {
 public:
  explicit Schedule(const spec::Load& load) : load_(load), line_(load), drawn_(load.seed) {}
  // The next request's time after the start; nothing: there are no more.
  std::optional<Duration> next();

 private:
  std::optional<Duration> next_recorded();

  spec::Load load_;
  spec::RateLine line_;
  std::uint64_t made_ = 0;
  std::uint64_t drawn_;  // state of the generator of random numbers
  double wanted_ = 0;    // Poisson: expected requests until the last one made
};

}  // namespace arashi::load
