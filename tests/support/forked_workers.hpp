// Workers for tests of one engine: each is a fork of the test itself, so that no other binary is needed and its pid is known.
#pragma once

#include "injector/core/fd.hpp"
#include "injector/core/record.hpp"
#include "injector/host/worker.hpp"

#include <functional>
#include <map>
#include <string>

namespace arashi::test {

class ForkedWorkers : public Workers {
 public:
  template <class Config>
  explicit ForkedWorkers(Result<void> (*engine)(const Config& config, int input, int output))
      : engine_([engine](const Json& json, int input, int output) -> Result<void> {
          return engine(TRY(read_record<Config>(json)), input, output);
        }) {}
  ~ForkedWorkers() override;
  Result<Json> start(std::string_view id, std::string_view engine, const Json& config, Duration patience) override;
  Result<Json> stats(std::string_view id) override;
  WorkerState state(std::string_view id) override;
  Result<void> stop(std::string_view id, Duration grace) override;
  [[nodiscard]] std::int32_t pid(std::string_view id) const;

 private:
  struct Child {
    std::int32_t pid = 0;
    Fd input, output;
    std::string pending;
    Json newest;
    bool reaped = false;
    int status = 0;
  };
  static bool next_line(Child& child, int timeout_ms);
  std::function<Result<void>(const Json& config, int input, int output)> engine_;
  std::map<std::string, Child, std::less<>> children_;
};

}  // namespace arashi::test
