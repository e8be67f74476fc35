// Kills a process at a chosen system call of its own.
#pragma once

#include <functional>

namespace arashi::testing {

struct Traced {
  int calls = 0;        // system calls that were begun after the mark, in all threads (not in programs it started)
  bool killed = false;  // false: it ended by itself before the chosen one
  int exit_code = 0;    // when it was not killed
};

// Runs `work` in a forked child under ptrace. The child calls mark() when the part to be cut begins; at the `at`-th system call from there
// (1 is the first) the whole process gets SIGKILL before the call is carried out. 0 never kills: that counts them.
Traced run_traced(int at, const std::function<int()>& work);
void mark();

}  // namespace arashi::testing
