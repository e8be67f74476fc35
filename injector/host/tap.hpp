// TAP devices: what the kernel sends to one can be read, what is written to it the kernel receives. Gone when the descriptor is closed.
#pragma once

#include "injector/core/fd.hpp"
#include "injector/core/result.hpp"
#include "injector/host/device.hpp"
#include "injector/host/netlink.hpp"

#include <string>

namespace arashi {

// What the kernel may hand over: large segments with unfinished checksums as they are, or only packets as they will be on the wire.
enum class Segments { large, single };

struct Tap {
  Fd fd;  // non-blocking; each frame has a virtio_net_hdr in front
  Device device;
};

// Frames with an Ethernet header, or packets that begin with their IP header (a TUN device): as the device has them that they come from.
enum class Framing { ethernet, bare };

// In the calling thread's namespace, up, with no addresses, no ARP and no multicast: nothing goes through it but what is redirected to it.
// Blame::unsupported where there is no /dev/net/tun.
Result<Tap> open_tap(const std::string& name, Segments segments, Framing framing = Framing::ethernet);

// Whether /dev/net/tun can be opened; with the remedy if not. Makes nothing.
Result<void> probe_tun();

}  // namespace arashi
