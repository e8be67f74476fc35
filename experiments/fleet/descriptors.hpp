// Room for a fleet's connections among this process's open files.
#pragma once

#include "injector/core/result.hpp"

#include <cstddef>

namespace arashi::fleet {

// Raises the soft limit where it is too low. Where the hard one is too low as well: refused, with the number that is needed.
Result<void> make_room_for(std::size_t agents);

}  // namespace arashi::fleet
