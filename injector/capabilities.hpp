// What this machine's kernel and this process's rights allow. What needs trying is tried in a scratch network namespace that a
// short-lived thread makes for itself and that is gone when this returns: no real device is touched.
#pragma once

#include "injector/core/capability.hpp"
#include "injector/host/host.hpp"
#include "injector/network/kernel_features.hpp"

#include <vector>

namespace arashi {

// What is said of a kernel feature: what it is for, or what is missing and what to install or load.
Capability capability_of(const KernelFeature& feature);

// One entry per mechanism, always the same names in the same order. Takes a few milliseconds; ask once and keep the answer.
std::vector<Capability> capabilities(const Host& host);

}  // namespace arashi
