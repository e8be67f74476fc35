// What the packets' loop of the dns engine and the threads of its TCP connections share: the fate of a query, and sockets.
#pragma once

#include "injector/core/fd.hpp"
#include "injector/core/result.hpp"
#include "injector/core/units.hpp"
#include "injector/faults/dns_answer.hpp"
#include "injector/host/conntrack.hpp"
#include "injector/network/dns_message.hpp"

#include <sys/socket.h>

#include <cstddef>
#include <cstdint>
#include <mutex>
#include <random>
#include <span>
#include <string>
#include <vector>

namespace arashi::workers::dns {

using arashi::dns::Bytes;

inline constexpr std::uint32_t mark = 0x61726173;  // of our own queries to the servers: the rule passes them

enum class Act { pass, drop, answer };
struct Fate {
  Act act = Act::pass;
  Duration delay{};
  std::vector<std::byte> answer;
};

// Which queries are hit, and how many were. May be asked from several threads.
class Rules {
 public:
  explicit Rules(const dns_answer::Rules& config);
  Fate fate_of(Bytes query);
  [[nodiscard]] dns_answer::Stats stats() const;

 private:
  [[nodiscard]] bool is_meant(const arashi::dns::Question& question) const;
  const dns_answer::Rules rules_;
  mutable std::mutex mutex_;  // guards what follows
  std::mt19937_64 chance_;
  dns_answer::Stats stats_;
};

// A socket address of either family.
struct SocketName {
  sockaddr_storage storage{};
  socklen_t length = sizeof(sockaddr_storage);
  sockaddr* address() { return reinterpret_cast<sockaddr*>(&storage); }
  [[nodiscard]] const sockaddr* address() const { return reinterpret_cast<const sockaddr*>(&storage); }
  [[nodiscard]] AddressPort endpoint() const;
};
SocketName name_of_socket(int fd);  // its own name

// Blame::missing where the family is not there, refused where the port is taken.
Result<Fd> listen_at(const AddressPort& here, int type);
Result<Fd> connect_to(const AddressPort& server, int type);

// Takes connections on a thread of its own, and serves each on another; they end with the process. `rules` outlives them.
void serve_streams(Fd listener, Rules& rules);

}  // namespace arashi::workers::dns
