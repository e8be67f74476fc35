// The machine's memory, before something takes a part of it.
#pragma once

#include "injector/core/result.hpp"
#include "injector/host/host.hpp"

#include <cstdint>
#include <string>

namespace arashi {

// Blame::refused where `what` would take more than a quarter of the memory that is available (proc_meminfo(5), MemAvailable).
Result<void> check_memory(const Host& host, std::uint64_t bytes, const std::string& what);

}  // namespace arashi
