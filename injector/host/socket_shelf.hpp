// The route sockets that one injection has opened in network namespaces, so that it enters each of them once.
#pragma once

#include "injector/core/result.hpp"
#include "injector/host/netlink.hpp"
#include "injector/host/netns.hpp"

#include <cstdint>
#include <map>

namespace arashi {

// To enter a namespace and to make a socket there takes longer than the question that is then asked. A socket keeps its
// namespace alive, so a shelf lives no longer than the injection it is for. For one thread at a time.
class SocketShelf {
 public:
  // Blame::missing when the namespace is gone. What is returned shares the kernel's socket with the others for this namespace.
  Result<netlink::Socket> socket(const Host& host, const Netns& netns);

 private:
  std::map<std::uint64_t, netlink::Socket> open_;  // by the namespace's inode
};

}  // namespace arashi
