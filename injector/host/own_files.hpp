// Files whose content is believed: made by this user or root, writable by nobody else, and reached without following a link at their end.
#pragma once

#include "injector/core/fd.hpp"
#include "injector/core/result.hpp"

#include <filesystem>
#include <string>

namespace arashi {

// The directory, made (0700) with its parents if there is none. Blame::unsupported when somebody else could write to it or put another one
// in its place: it, or a directory above it, belongs to another user or is writable by others (above it: unless sticky, as /tmp is).
Result<Fd> open_own_directory(const std::filesystem::path& path);

// A regular file in it, with O_NOFOLLOW and O_NONBLOCK (a FIFO blocks nobody). Blame::refused when it is no such file, a link, or not ours
// alone; Blame::missing when there is none and `flags` has no O_CREAT.
Result<Fd> open_own_file(const Fd& directory, const std::string& name, int flags);

}  // namespace arashi
