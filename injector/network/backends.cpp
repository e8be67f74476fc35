#include "injector/network/impairment.hpp"

#include <array>

namespace arashi {

extern const Backend bpf_backend;
extern const Backend netem_backend;
extern const Backend tap_backend;

// Losses need no delay line: bpf is exact, and leaves the device's qdisc alone. Delay goes to the kernel where it can do it.
std::span<const Backend* const> backends() {
  static constexpr std::array table{&bpf_backend, &netem_backend, &tap_backend};
  return table;
}

}  // namespace arashi
