// Drives the real guard in virtual time: requests at a steady rate, errors by a shape, slices of 1 s. Seeded.
#pragma once

#include "experiments/guard/guard.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <functional>
#include <optional>
#include <random>

namespace arashi::testing {

inline guard::SloTerms terms(double rate, double objective = 0.999) {
  return {.name = "checkout",
          .objective = objective,
          .window = std::chrono::hours(720),
          .sources = {{.window_events = rate * 720 * 3600, .rate_most = rate}}};
}

inline guard::Config config(double rate, Duration length = std::chrono::minutes(10)) {
  guard::Config result;
  result.slos = {terms(rate)};
  result.length = length;
  result.rollback = std::chrono::seconds(0);
  return result;
}

inline guard::Guard make(const guard::Config& config) {
  auto result = guard::Guard::make(config);
  REQUIRE_MESSAGE(result, result.error().message);
  return std::move(result).value();
}

inline guard::Slice slice(Duration begin, Duration length, std::uint64_t total, std::uint64_t bad) {
  return {.begin = begin, .end = begin + length, .total = total, .bad = bad, .newest = begin + length};
}
inline guard::Slice second(int at, std::uint64_t total, std::uint64_t bad) {
  return slice(std::chrono::seconds(at), std::chrono::seconds(1), total, bad);
}

inline guard::Slice notice(Duration at, guard::Freshness state, Duration newest, const std::string& problem = "connection refused") {
  return {.begin = at, .end = at, .state = state, .newest = newest, .problem = problem};
}

inline bool says(const guard::Verdict& verdict, guard::Layer layer) {
  return std::any_of(verdict.reasons.begin(), verdict.reasons.end(), [&](const guard::Reason& reason) { return reason.layer == layer; });
}

struct Run {
  std::optional<int> abort;  // second after the injection at whose end the guard said so
  guard::Layer layer{};      // of its first reason
  double spent = 0;          // share of the budget
};

// Ten seconds of the baseline, the injection, then `length`. p(t): error ratio in the second t after the injection.
inline Run simulate(const guard::Config& config, double rate, const std::function<double(int)>& p, std::mt19937_64& random,
                    double baseline = 0.0005) {
  guard::Guard guard = make(config);
  constexpr int before = 10;
  double due = std::uniform_real_distribution<double>(0, 1)(random);
  const int length = static_cast<int>(seconds(config.length));
  for (int t = -before; t < length; ++t) {
    const Duration begin = std::chrono::seconds(t + before);
    if (t == 0) guard.injected(begin);
    due += rate;
    const auto total = static_cast<std::uint64_t>(due);
    due -= static_cast<double>(total);
    const double ratio = t < 0 ? baseline : p(t);
    const auto bad = std::binomial_distribution<std::uint64_t>(total, ratio)(random);
    guard.observe(0, slice(begin, std::chrono::seconds(1), total, bad));
    const auto verdict = guard.evaluate(begin + std::chrono::seconds(1));
    if (t >= 0 && verdict.abort) return {t + 1, verdict.reasons.front().layer, verdict.slos[0].budget_spent};
  }
  return {};
}

}  // namespace arashi::testing
