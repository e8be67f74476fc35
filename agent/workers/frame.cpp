#include "agent/workers/frame.hpp"

#include <linux/if_ether.h>

#include <cstring>

namespace arashi::workers {

namespace {

constexpr std::size_t before = sizeof(LargeSegment);

unsigned at(std::span<const std::byte> bytes, std::size_t index) {
  return index < bytes.size() ? std::to_integer<unsigned>(bytes[index]) : 0;
}

// Where in the frame that begins with the Ethernet header the IP header ends.
std::size_t behind_ip(std::span<const std::byte> ethernet) {
  constexpr unsigned words = 4;
  constexpr std::size_t v6_header = 40;
  const unsigned type = at(ethernet, ETH_HLEN - 2) << 8U | at(ethernet, ETH_HLEN - 1);
  if (type == ETH_P_IP) return ETH_HLEN + (at(ethernet, ETH_HLEN) & 0xfU) * words;
  return type == ETH_P_IPV6 ? ETH_HLEN + v6_header : ETH_HLEN;
}

std::size_t headers_of(const LargeSegment& large, std::span<const std::byte> ethernet) {
  constexpr std::size_t udp_header = 8;
  constexpr std::size_t length_of_tcp = 12;  // where it is: in its upper half, in words of four bytes
  const auto kind = large.kind & ~ecn_flag;
  const bool is_tcp = kind == tcp_v4_segment || kind == tcp_v6_segment;
  return large.checksum_start + (is_tcp ? (at(ethernet, large.checksum_start + length_of_tcp) >> 4U) * std::size_t{4} : udp_header);
}

}  // namespace

std::size_t wire_length(std::span<const std::byte> frame) {
  if (frame.size() < before) return frame.size();
  LargeSegment header;
  std::memcpy(&header, frame.data(), sizeof header);
  const auto ethernet = frame.subspan(before);
  if (header.packet == 0) return ethernet.size();
  const auto headers = headers_of(header, ethernet);
  if (headers >= ethernet.size()) return ethernet.size();
  const auto packets = (ethernet.size() - headers + header.packet - 1) / header.packet;
  return ethernet.size() + (packets - 1) * headers;
}

bool corrupt_bit(std::span<std::byte> frame, Random& random) {
  if (frame.size() < before + ETH_HLEN) return false;
  const auto ethernet = frame.subspan(before);
  const auto start = behind_ip(ethernet);
  if (start >= ethernet.size()) return false;
  constexpr std::size_t bits = 8;
  const auto bit = std::uniform_int_distribution<std::size_t>(0, (ethernet.size() - start) * bits - 1)(random);
  ethernet[start + bit / bits] ^= std::byte{1} << (bit % bits);
  return true;
}

}  // namespace arashi::workers
