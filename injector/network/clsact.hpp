// Our bpf filters at clsact. They outlive us, so each is found again by its name: "arashi:ID", and with ":m" behind it when clsact itself
// was made by a fault, so that the last one out takes it away.
#pragma once

#include "injector/host/qdisc.hpp"
#include "injector/network/bpf.hpp"
#include "injector/network/impairment.hpp"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace arashi::clsact {

std::string filter_name(std::string_view id);
bool is_ours(const Filter& filter, std::string_view id);  // but not a learner

// The devices that have no clsact now. prepare keeps it in its notes; attach and clear want to know. Blame::unsupported where egress is to
// be hit and an 'ingress' qdisc is in the place of clsact.
using Missing = std::vector<std::int32_t>;  // by index
Result<Missing> missing_on(netlink::Socket& socket, const Impairment& impairment);
bool was_missing(const Missing& missing, std::int32_t device);

// Blame::unsupported where a TCX program of someone else stands at a hook that is to be hit: those come before clsact, and may end the
// walk.
Result<void> is_reached(const Host& host, const Impairment& impairment);

struct Attach {
  std::string_view id;
  std::int32_t device = 0;
  Hook hook = Hook::egress;
  int program = -1;
  bool made = false;     // clsact was missing in prepare
  bool learner = false;  // the second program of one cgroup's ingress (Classifier::learn_program)
};
Result<void> attach(netlink::Socket& socket, const Attach& wanted);
// Its learner at the same device's egress, where it has one.
Result<void> attach_learner(netlink::Socket& socket, Attach like, const Classifier& classifier);
// Takes our filters, learners too, away from both hooks, and clsact if a fault has made it and nothing is left there.
Result<void> clear(netlink::Socket& socket, std::string_view id, std::int32_t device, bool missing_before);

}  // namespace arashi::clsact
