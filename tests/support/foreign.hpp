// A tc program of somebody else, Cilium-like: it counts ICMP and says what becomes of the packet.
#pragma once

#include "injector/core/fd.hpp"
#include "injector/host/qdisc.hpp"

#include <cstdint>
#include <string>

namespace arashi::test {

class ForeignProgram {
 public:
  enum Verdict { next, ok, redirect_icmp };                       // redirect_icmp: ICMP goes to another device, all else on
  explicit ForeignProgram(Verdict verdict, std::int32_t to = 0);  // loaded, and nowhere yet
  // Direct-action, at that priority of a clsact that is there; the test fails where it can't. It goes with its device.
  ForeignProgram(const std::string& netns, const std::string& device, Hook hook, std::uint16_t priority, Verdict verdict,
                 const std::string& to = {});
  [[nodiscard]] std::uint64_t icmp() const;  // ICMP over IPv4 that it has seen
  void reset() const;
  [[nodiscard]] int program() const { return program_.get(); }

 private:
  Fd counter_, program_;
};

}  // namespace arashi::test
