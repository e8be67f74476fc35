// A frame as a tap device gives it: a virtio_net_hdr (10 bytes), then Ethernet. Pure.
#pragma once

#include "agent/workers/chances.hpp"

#include <cstddef>
#include <cstdint>
#include <span>

namespace arashi::workers {

// linux/virtio_net.h's virtio_net_hdr, of which C++ does not like every name.
struct LargeSegment {
  std::uint8_t flags = 0, kind = 0;
  std::uint16_t headers = 0, packet = 0, checksum_start = 0, checksum_offset = 0;  // packet: bytes of payload in each; 0: not large
};
inline constexpr std::uint8_t tcp_v4_segment = 1, tcp_v6_segment = 4, ecn_flag = 0x80;

// Bytes on the wire: of a large segment, those of all the packets that it will be cut into.
std::size_t wire_length(std::span<const std::byte> frame);

// Turns one bit behind the IP header, any one of them as likely. False where there is nothing behind it.
bool corrupt_bit(std::span<std::byte> frame, Random& random);

}  // namespace arashi::workers
