// Tables of nftables that belong to the process that made them: the kernel takes them away when it ends (Linux 5.12).
#pragma once

#include "injector/core/result.hpp"

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

}  // namespace arashi
