// Queries that are redirected to a port of loopback, in the kernel's table of tracked connections: an entry remembers where its packets
// go, whatever the rules say later. A program that asks by one socket all its life would so miss a redirection, or its end.
#pragma once

#include "injector/core/result.hpp"
#include "injector/host/conntrack.hpp"
#include "injector/host/host.hpp"
#include "injector/host/netlink.hpp"
#include "injector/host/netns.hpp"
#include "injector/network/impairment.hpp"

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace arashi {

inline constexpr std::uint16_t dns_port = 53;

// Where the worker of this injection listens, on the first that is free: named beforehand, so that what was redirected there is known
// later.
std::vector<std::uint16_t> redirect_ports(std::string_view id);

// Lets queries by UDP that were under way before the redirection to one of these ports meet it: those of the traffic, from sockets of the
// target's own. To be done again while answers to queries of before may come: each is tracked as if its server had begun, and its client's
// next query would go by that.
Result<void> forget_earlier_queries(const Host& host, const Netns& netns, const Traffic& traffic, const std::optional<SocketCgroup>& cgroup,
                                    const std::vector<std::uint16_t>& ports);

// What was redirected to these ports. Socket of Family::netfilter.
Result<std::vector<Tracked>> redirected(netlink::Socket& socket, const std::vector<std::uint16_t>& ports);

// Lets it go where it is sent again. Right also when the namespace, or all connection tracking, is gone.
Result<void> forget_redirected(const Host& host, const Netns& netns, const std::vector<std::uint16_t>& ports);

}  // namespace arashi
