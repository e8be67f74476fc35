// How full a network namespace's table of tracked connections is, and entries that only fill it.
#pragma once

#include "injector/core/fd.hpp"
#include "injector/core/result.hpp"
#include "injector/core/units.hpp"
#include "injector/host/host.hpp"
#include "injector/host/netlink.hpp"

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace arashi {

// Each namespace counts its own entries; the limit is one number for all of them (nf_conntrack_max), or, on newer kernels, its own.
struct TrackingTable {
  std::uint64_t count = 0, most = 0;  // most 0: no limit
};
Result<TrackingTable> tracking_table(const Host& host);                   // of the calling thread's namespace
Result<TrackingTable> tracking_table(const Host& host, const Fd& netns);  // Blame::unsupported where there is no connection tracking

// Whether packets of the namespace are tracked at all, which needs a rule that asks for it. Where the table is empty one datagram is sent
// on its loopback to see, and its entry removed.
Result<bool> is_tracking(const Host& host, const Fd& netns);

// Packets that were dropped, and entries that were put out, for want of room, since the namespace was made. Socket of Family::netfilter.
Result<std::uint64_t> tracking_refusals(netlink::Socket& socket);

// An entry of ours is between addresses that are for tests and documentation (RFC 2544, RFC 5737) and in a tracking zone named from the
// injection: no packet ever meets it. It counts as answered, so that the kernel does not put it out for a new one; after `lifetime` it goes
// by itself. They are numbered from 0.
class Fillers {
 public:
  Fillers(netlink::Socket& socket, std::string_view id);
  // Makes these, or sets their time anew where they are there. How many there was no room for.
  Result<std::size_t> put(std::size_t first, std::size_t count);
  Result<std::size_t> renew(std::size_t first, std::size_t count);  // only those that are there; how many are not
  Result<void> remove(std::size_t first, std::size_t count);

  static constexpr Duration lifetime = std::chrono::seconds(30);
  static constexpr std::size_t bytes_of_each = 400;  // of the kernel's memory

 private:
  netlink::Socket& socket_;
  std::uint16_t zone_;
};

// Whether this kernel takes such entries (ctnetlink, tracking zones). Blame::unsupported with the reason.
Result<void> probe_fillers();

}  // namespace arashi
