// Whose network a fault hits: all of a namespace, or in one that is shared with others the sockets of one cgroup.
#pragma once

#include "injector/core/result.hpp"
#include "injector/core/victim.hpp"
#include "injector/host/host.hpp"
#include "injector/host/netns.hpp"
#include "injector/host/proc.hpp"
#include "injector/host/sock_diag.hpp"
#include "injector/network/impairment.hpp"

#include <optional>
#include <string>
#include <vector>

namespace arashi {

struct NetworkScope {
  Netns netns;
  std::optional<SocketCgroup> cgroup;
};

// A node and a network namespace are hit whole; so is the namespace that a process, cgroup or unit has for itself. Refuses, with what to
// do, where the victim's sockets can't be told from those of others: its processes live in several namespaces, in the root cgroup, in one
// cgroup with strangers, or there is no cgroup v2.
Result<NetworkScope> network_scope(const Host& host, const Victim& victim);

// Open connections, of the cgroup's sockets alone where there is one. The socket is of Family::sock_diag. Blame::missing when it is gone.
Result<std::vector<Connection>> connections_of(const Host& host, netlink::Socket& socket, const std::optional<SocketCgroup>& cgroup);

// Likewise the sockets of UDP.
Result<std::vector<Connection>> datagram_sockets_of(const Host& host, netlink::Socket& socket, const std::optional<SocketCgroup>& cgroup);

// The path by which nft knows it, below /sys/fs/cgroup. Blame::unsupported where v2 is mounted elsewhere.
Result<std::string> path_for_nft(const Host& host, const SocketCgroup& cgroup);

// What a classifier of the cgroup's incoming packets is told beforehand (Classifier::know); nothing where all of the namespace is hit.
std::vector<ServedPort> served_ports(const Host& host, const Impairment& impairment);

}  // namespace arashi
