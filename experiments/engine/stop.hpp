// Asks one run to end early: a signal of the terminal's, a button of a server's, a test.
#pragma once

#include "injector/core/fd.hpp"

#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace arashi::engine {

class Stop {
 public:
  virtual ~Stop() = default;
  [[nodiscard]] virtual int readable() const = 0;  // to poll
  virtual std::optional<std::string> take() = 0;   // who asked, as the report tells it; without waiting
 protected:
  Stop() = default;
  Stop(const Stop&) = default;
  Stop& operator=(const Stop&) = default;
};

// Pressed from any thread.
class StopButton : public Stop {
 public:
  StopButton();
  void press(const std::string& by);
  [[nodiscard]] int readable() const override { return bell_.get(); }
  std::optional<std::string> take() override;

 private:
  std::mutex mutex_;
  std::vector<std::string> asked_;
  Fd bell_;
};

}  // namespace arashi::engine
