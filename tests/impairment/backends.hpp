// The impairment suite runs over the backends that the machine of its test binary has: bpf and tap on this kernel, netem in the guest.
#pragma once

#include <string>
#include <vector>

namespace arashi::test {

std::vector<std::string> backends_here();

}  // namespace arashi::test
