// The program `arashi-agent worker ENGINE`, and its table of engines, which is generated from this folder: NAME_worker.cpp defines
// `extern const Worker NAME_worker`.
#pragma once

#include "injector/core/record.hpp"

#include <span>
#include <string_view>

namespace arashi::workers {

struct Worker {
  std::string_view engine;  // as WorkerUse::engine calls it
  // Works until Channel::wait_until says that its holder has gone, and returns then. An error before it said "ready" is told to the holder.
  Result<void> (*run)(const Json& config);
};

template <class Run>
struct ConfigOf;
template <class Config>
struct ConfigOf<Result<void> (*)(const Config&)> {
  using type = Config;
};

// run: Result<void>(const Config&). The configuration is read here, once.
template <auto run>
constexpr Worker make_worker(std::string_view engine) {
  return {.engine = engine, .run = [](const Json& json) -> Result<void> {
            using Config = typename ConfigOf<decltype(run)>::type;
            return run(TRY(read_record<Config>(json, "configuration")));
          }};
}

std::span<const Worker* const> all_workers();

// Reads the configuration from standard input and runs the engine; the process's exit code.
int run_worker(std::string_view engine);

}  // namespace arashi::workers
