// Tries what the kernel can do, in a network namespace that a short-lived thread makes for the purpose and that is gone when the call
// returns. The kernel may load a module to answer (sch_netem, cls_bpf, veth), as it would for the real thing.
#pragma once

#include "injector/core/result.hpp"

#include <string_view>
#include <vector>

namespace arashi {

struct KernelFeature {
  std::string_view name;  // "netem", "cls_bpf", "clsact", "veth", "tbf", "tcx", "tun", "bpf", "sock_destroy", "nft", "conntrack"
  Result<void> works;     // the error is what the kernel said
};

// All of them, always in the same order. Up to 100 ms; the slower the more modules the kernel looks for.
std::vector<KernelFeature> kernel_features();

// Whether a network namespace's devices can be given netem with our classifier: netem, cls_bpf, clsact and veth. Blame::unsupported with
// the first that is missing. Remembered for a minute, as a kernel that looks for a module takes milliseconds.
Result<void> netem_works();
Result<void> tbf_works();  // likewise, but for the remembering

}  // namespace arashi
