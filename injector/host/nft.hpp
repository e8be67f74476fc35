// Tables of nftables that belong to the process that made them: the kernel takes them away when it ends (Linux 5.12).
#pragma once

#include "injector/core/result.hpp"
#include "injector/host/traffic.hpp"

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>

namespace arashi {

// Whether this kernel has tables with owners and this machine has libnftables. Blame::unsupported with the reason.
Result<void> probe_nft();

class NftTable {
 public:
  // In the calling thread's namespace: table inet "arashi_<id>" with this body, in nft's language.
  static Result<NftTable> make(std::string_view id, std::string_view body);
  NftTable(NftTable&&) noexcept;
  NftTable& operator=(NftTable&&) noexcept;
  ~NftTable();
  // The packets of each named counter; Blame::missing when someone has taken the table away.
  [[nodiscard]] Result<std::map<std::string, std::uint64_t>> counters() const;
  // Takes the chain's rules away; the chain itself stays, and with it what the kernel does for connections that it has translated.
  [[nodiscard]] Result<void> empty(std::string_view chain) const;

 private:
  struct Held;
  explicit NftTable(std::unique_ptr<Held> held);
  std::unique_ptr<Held> held_;
};

// Rules by which a chain passes ("accept") all that is not of the traffic, direction and protocol apart; what comes to their end is of it.
// The control path passes first. `remote` says where in a packet the peer is: behind the destination on the way out.
enum class Remote { destination, source };
std::string pass_others(const Traffic& traffic, Remote remote);

// Passes all but a share of the connections, chosen by their addresses, ports and the seed, so that one connection has one fate.
std::string pass_unchosen(double share, std::uint32_t seed);

}  // namespace arashi
