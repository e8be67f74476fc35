// Where a network fault goes: from a victim and its parameters to namespace, devices and traffic, with what must never be cut.
#pragma once

#include "injector/core/json_fwd.hpp"
#include "injector/core/victim.hpp"
#include "injector/host/netlink.hpp"
#include "injector/network/impairment.hpp"

#include <optional>
#include <string>
#include <string_view>

namespace arashi {

// The victim's network namespace, for what hits all of it; refused where it has none of its own, or shares one with others.
Result<Netns> netns_of(const Host& host, const Victim& victim);

// Refuses a device of that namespace by which a runner speaks with the agent, or (as it may be anyone's way to stop a fault) this
// machine's loopback and, where the agent has a TCP port, the device of its default route.
Result<void> spare_control_path(const Host& host, const Netns& netns, netlink::Socket& socket, const Device& device);

// Refuses a namespace in which a runner is, as its connections to the agent would be hit as any other's there.
Result<void> spare_runners(const Host& host, const Netns& netns, std::string_view what);

// Where a fault that knows no devices goes, and its traffic with the control path exempt; refuses what place_impairment refuses. Names are
// refused, or stand for what they mean now.
struct TrafficPlace {
  Netns netns;
  std::optional<SocketCgroup> cgroup;  // only its sockets; none: all of the namespace's
  Traffic traffic;
};
enum class Names { refused, as_now };
Result<TrafficPlace> place_traffic(const Host& host, const std::string& id, const Victim& victim, const Json& params, Names names);

// Everything of an Impairment but its effects. Refuses what could not bite (no such device, no route to a peer, a v6 peer where there is no
// v6), what would hit more than the victim (network_scope.hpp), and what would cut the control path.
Result<Impairment> place_impairment(const Host& host, const std::string& id, const Victim& victim, const Json& params);

}  // namespace arashi
