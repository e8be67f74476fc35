// One question to an agent on this machine, over its unix socket. Everything else that goes out uses libcurl; linking that into the daemon
// would cost each of its processes more memory than the whole of it may use when idle.
#pragma once

#include "injector/core/result.hpp"
#include "injector/core/units.hpp"

#include <filesystem>
#include <string>

namespace arashi::http {

struct Reply {
  int status = 0;
  std::string body;
};

// An error only when there was no answer within `patience`; it says which socket and why.
Result<Reply> ask(const std::filesystem::path& socket, const std::string& method, const std::string& target, const std::string& body,
                  Duration patience);

}  // namespace arashi::http
