// The hooks of a device at which programs stand before clsact (Linux 6.6).
#pragma once

#include "injector/core/fd.hpp"
#include "injector/core/result.hpp"
#include "injector/host/qdisc.hpp"

#include <cstdint>
#include <vector>

namespace arashi {

// Attaches a program in front of the others of a TCX hook; it stays as long as the descriptor is open (Linux 6.6). Acts in the calling
// thread's namespace. Blame::unsupported where the kernel has no TCX.
Result<Fd> attach_tcx(int program, std::int32_t device, Hook hook);
// The kernel ids of the programs there, first to last.
Result<std::vector<std::uint32_t>> tcx_programs(std::int32_t device, Hook hook);

}  // namespace arashi
