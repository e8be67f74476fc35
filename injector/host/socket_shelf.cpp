#include "injector/host/socket_shelf.hpp"

namespace arashi {

Result<netlink::Socket> SocketShelf::socket(const Host& host, const Netns& netns) {
  auto found = open_.find(netns.inode);
  if (found == open_.end()) {
    const auto inside = TRY(open_netns(host, netns));
    found = open_.emplace(netns.inode, TRY(netlink::Socket::open(inside))).first;
  }
  return found->second.share();
}

}  // namespace arashi
