// Turns what a spec asks for into identities found on this machine.
#pragma once

#include "injector/core/victim.hpp"
#include "injector/host/host.hpp"

namespace arashi {

// Every match, in a stable order (netns by name, cgroup and unit by path, process by pid). The agent's own processes are left out.
// No match is an empty list; a selector that is itself wrong is an error with Blame::input.
Result<std::vector<Victim>> resolve(const Host& host, const Selector& selector);

// Fills in by which addresses each victim's network namespace is reached, the machine's for a node. A victim whose namespace has none, that
// is gone meanwhile or lives in several keeps an empty list.
void add_addresses(const Host& host, std::vector<Victim>& victims);

// Whether the identity still stands (same pid and start time, same inodes); Blame::missing with the reason if not.
Result<void> still_there(const Host& host, const Victim& victim);

// Those of `victim.selector`'s processes that live in the victim's network namespace and cgroup now: itself or what took its place.
Result<std::vector<Victim>> successors(const Host& host, const Victim& victim);

}  // namespace arashi
