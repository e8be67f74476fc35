// One line on a terminal that is drawn over itself; nothing elsewhere.
#pragma once

#include "injector/core/units.hpp"

#include <string>

namespace arashi::commands {

class Progress {
 public:
  Progress();
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;
  void show(const std::string& text);

 private:
  bool terminal_;
  bool shown_ = false;
  Duration last_{};
};

}  // namespace arashi::commands
