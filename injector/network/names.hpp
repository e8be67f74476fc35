// Host names as peers: they mean what the target's own resolver says they mean, its hosts file and its DNS servers, asked from its network
// namespace. A worker process asks, as what a DNS server answers is not to be read by the one that has all the rights.
#pragma once

#include "injector/core/victim.hpp"
#include "injector/host/host.hpp"
#include "injector/network/impairment.hpp"

#include <string>
#include <vector>

namespace arashi {

// Where the victim's /etc/hosts and /etc/resolv.conf are: its processes' own root; for a named namespace without a process /etc/netns/NAME,
// as for `ip netns exec`, before the machine's.
Resolver resolver_of(const Host& host, const Victim& victim);

// Asks for all names of the traffic once. Blame::missing where one stands for nothing.
Result<void> resolve_names(const Host& host, Impairment& impairment);

// A worker that asks again every few seconds and changes the peers of these attached programs when an answer has changed. A name that is
// not answered keeps what it had. Revert: stop_following, right also if there is none.
Result<void> follow_names(const Host& host, const Impairment& impairment, const std::vector<std::uint32_t>& programs);
Result<void> stop_following(const Host& host, const Impairment& impairment);

// Adds what each name stands for now to a fault's evidence.
void add_names(const Host& host, const Impairment& impairment, Evidence& evidence);

}  // namespace arashi
