// What an injection owns while it lives, and when two of them want the same thing. The plan, the runner and the agent all ask here.
#pragma once

#include "injector/core/result.hpp"

#include <string>
#include <string_view>
#include <vector>

namespace arashi {

// "netns:4026531840/eth0/egress", "process:4242/99371". A claim holds all below it: "netns:7/eth0/egress" also
// "netns:7/eth0/egress/system.slice".
using Claims = std::vector<std::string>;

bool claims_overlap(std::string_view one, std::string_view other);

// The first of `held` that overlaps one of `wanted`; null: both may live at the same time.
const std::string* first_overlap(const Claims& held, const Claims& wanted);

// Whoever holds a claim.
struct Holder {
  std::string_view experiment, fault, id;
};
// Code::claimed: "netns:7/eth0/egress is held by experiment 'slow-ledger' (network.impair abcd1234)". Fine where nothing overlaps.
Result<void> check_claims(const Claims& held, const Holder& holder, const Claims& wanted);

}  // namespace arashi
