#include "experiments/stop_scope.hpp"

#include <utility>

namespace arashi {

namespace {

std::stop_token& innermost() {
  static thread_local std::stop_token stop;
  return stop;
}

}  // namespace

StopScope::StopScope(std::stop_token stop) : before_(std::exchange(innermost(), std::move(stop))) {}
StopScope::~StopScope() { innermost() = std::move(before_); }
const std::stop_token& stop_here() { return innermost(); }

}  // namespace arashi
