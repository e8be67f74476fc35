// Gives up, for good, everything that a process which parses strangers' bytes has no need of.
#pragma once

#include "injector/core/result.hpp"

#include <cstdint>

namespace arashi {

struct Identity {
  std::uint32_t user = 65534, group = 65534;  // nobody, nogroup
};

// In this order: bounding set, groups, group, user, ambient and all other capabilities, no_new_privs, core dumps (its memory holds a key),
// and a system call filter after which the process can serve the sockets it has and end, but open nothing and start nothing. All its
// threads must be this one. Asks for the parent-death signal KILL again, which the change of user clears. Without root the user stays.
Result<void> confine(Identity identity);

}  // namespace arashi
