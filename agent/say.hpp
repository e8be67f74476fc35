// One line on standard error. Only the edges (main, supervisor, injector_process, recovery, api) speak; everything else returns errors.
#pragma once

#include "injector/core/units.hpp"

#include <cstdio>
#include <sstream>
#include <string>

namespace arashi {

template <class... Parts>
void say(const char* process, const Parts&... parts) {
  std::ostringstream line;
  line << wall_clock_text() << " arashi-agent " << process << ": ";
  (line << ... << parts) << '\n';
  const auto text = std::move(line).str();
  (void)std::fwrite(text.data(), 1, text.size(), stderr);  // unbuffered: one write, so lines of several processes do not mix
}

}  // namespace arashi
