// Network namespaces: an identity (the inode), and doing something inside one without moving the threads that live on.
#pragma once

#include "injector/core/fd.hpp"
#include "injector/core/keys.hpp"
#include "injector/core/result.hpp"
#include "injector/host/host.hpp"

#include <cstdint>
#include <functional>
#include <string>

namespace arashi {

struct Netns {
  std::string path;         // what it was found by: /proc/PID/ns/net or /run/netns/NAME; may be gone while the namespace lives on
  std::uint64_t inode = 0;  // which one it is
  bool operator==(const Netns&) const = default;
  static constexpr auto keys = std::tuple(key("path", &Netns::path), key("inode", &Netns::inode));
};

// Opens a network namespace's file (/proc/PID/ns/net, /run/netns/NAME) and nothing else: any other file, a FIFO too, is Blame::input at
// once.
Result<Fd> open_netns_file(const std::filesystem::path& path);
// Its identity.
Result<std::uint64_t> netns_inode(const std::filesystem::path& path);

// The namespace of the calling process.
Result<Netns> own_netns(const Host& host);

// A descriptor of exactly this namespace: by its path if that still leads there, else by looking through every process and /run/netns.
// Blame::missing when nothing leads to it any more (then everything that was in it is gone too).
Result<Fd> open_netns(const Host& host, const Netns& netns);

// Runs `act` inside the namespace and waits for it. Sockets opened there stay there. The thread comes back, or the process ends; the first
// thread of a process never moves: another one does it in its place.
Result<void> inside(const Fd& netns, const std::function<Result<void>()>& act);

// The same in a namespace made for the purpose, which is gone afterwards: for trying what the kernel can do.
Result<void> in_new_netns(const std::function<Result<void>()>& act);

}  // namespace arashi
