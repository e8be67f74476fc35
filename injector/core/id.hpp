// Names of injections and experiments, from which every kernel object's name is derived (name it before you make it).
#pragma once

#include "injector/core/result.hpp"

#include <string>
#include <string_view>

namespace arashi {

// Eight lower-case letters and digits ("k3v9x0qa") from getrandom: fits into an interface name (15 bytes) and a BPF
// program name with a prefix.
std::string new_id();

// True for what new_id makes; anything from outside is checked with it before it becomes part of a path or a name.
bool is_id(std::string_view text);

// An experiment's or a run's name: a DNS label, [a-z0-9]([-a-z0-9]*[a-z0-9])?, at most 63 bytes.
bool is_name(std::string_view text);

// This boot's id (/proc/sys/kernel/random/boot_id): a journal of another boot tells of nothing that still exists.
Result<std::string> boot_id();

}  // namespace arashi
