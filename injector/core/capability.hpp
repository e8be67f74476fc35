// One thing a machine can or cannot do, as `arashi doctor` prints it.
#pragma once

#include <string>

namespace arashi {

struct Capability {
  std::string name;  // "netem", "clsact", "tcx", "tun", "cgroup v2 freezer", "CAP_NET_ADMIN"
  bool available = false;
  std::string detail;  // what was found
  std::string remedy;  // what to install or load where missing
  bool operator==(const Capability&) const = default;
};

}  // namespace arashi
