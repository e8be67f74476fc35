// What a test process makes on the machine is written down before it is made, so that the next one can clear away what a killed one left.
#pragma once

#include <string>

namespace arashi::testing {

enum class Made {
  netns,      // a name below /run/netns, and /etc/netns/NAME; with all processes in it
  cgroup,     // its directory, with all processes in it and below
  directory,  // with all in it
  injection,  // its id: its cgroups, with all processes in them
  demo,       // the script that started the demo platform, and stops it
};
inline constexpr const char* demo_lock = "/tmp/arashi-demo-test.lock";  // held by the test that has the demo

void note(Made what, const std::string& name);

// Clears away what test processes that are dead have noted. Those that live, of any checkout, hold a lock on their notes.
void clear_remains();

}  // namespace arashi::testing
