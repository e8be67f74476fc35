// Starts this program again as one of its other processes, and waits for it by pidfd. The agent's only use of Boost.Process.
#pragma once

#include "injector/core/fd.hpp"
#include "injector/core/result.hpp"
#include "injector/core/units.hpp"

#include <sys/types.h>

#include <string>
#include <vector>

namespace arashi {

struct Start {
  std::vector<std::string> arguments;
  std::vector<int> inherited;  // descriptors it keeps, under the same numbers
  int death_signal = 0;        // sent to it when the *thread* that starts it ends
  bool keep_input = false;     // otherwise its standard input is /dev/null; its standard output always is
};

struct Child {
  pid_t pid = 0;
  Fd alive;  // pidfd: readable once it has ended
};

Result<Child> start_self(const Start& start);

// Takes the exit status: as a shell counts, 128 + N for signal N. Blocks until it has ended.
int collect(const Child& child);
// Whether it ended within `patience`.
bool ends_within(const Child& child, Duration patience);
void send_signal(const Child& child, int signal);

}  // namespace arashi
