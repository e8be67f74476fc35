// Several network namespaces on one bridge, in a namespace of its own: the smallest network with more than two ends.
#pragma once

#include "tests/support/namespaces.hpp"

#include <memory>
#include <string>
#include <vector>

namespace arashi::testing {

// The n-th end, from 0, has "eth0" with 10.98.0.(n+1)/24 and fd98::(n+1)/64, usable at once.
class Lan {
 public:
  // Each end's namespace is called PREFIX-PID-N, with its own prefix.
  explicit Lan(const std::vector<std::string>& prefixes);
  [[nodiscard]] const Namespace& end(std::size_t index) const { return *ends_.at(index); }
  [[nodiscard]] static std::string v4(std::size_t index) { return "10.98.0." + std::to_string(index + 1); }
  [[nodiscard]] static std::string v6(std::size_t index) { return "fd98::" + std::to_string(index + 1); }
  // Whether an echo gets there and back.
  [[nodiscard]] bool reaches(std::size_t from, const std::string& address) const;

 private:
  Namespace hub_{"hub"};
  std::vector<std::unique_ptr<Namespace>> ends_;
};

}  // namespace arashi::testing
